"""Fakes for both ends of capture's pipe."""

import pytest

from wherefrom.capture import current
from wherefrom.capture.journal import Journal


class FakeChannel:
    """Keeps what was said; `asked` are those messages whose answer the program would wait for."""

    def __init__(self):
        self.is_shared = True  # paths are sent at once, by no thread
        self.said = []
        self.asked = []

    def send(self, message):
        self.said.append(message)

    def ask(self, message):
        self.said.append(message)
        self.asked.append(message)

    def of(self, do):
        return [message for message in self.said if message["do"] == do]

    def paths_read(self):
        return [path for m in self.of("read") for path in m.get("paths", m.get("joined", "").split("\0"))]


@pytest.fixture
def channel():
    return FakeChannel()


@pytest.fixture
def journal(channel):
    """Of a run that is the current one."""
    journal = Journal(channel, "00000000-0000-4000-8000-000000000001")
    current.enter(journal)
    yield journal
    current.leave(journal)
