"""A recorder's book with an archive that keeps statements in a list."""

import time
import uuid

import pytest

from wherefrom.capture.config import Config
from wherefrom.capture.recorder.book import Book
from wherefrom.capture.recorder.contents import Reader
from wherefrom.capture.recorder.known import KnownRecords
from wherefrom.capture.recorder.notary import Notary
from wherefrom.statements import name_of


class FakeArchive:
    """Keeps what is recorded; `refusal` is raised instead, when set."""

    namespace = "test"

    def __init__(self):
        self.statements = []
        self.refusal = None

    def record(self, *statements):
        if self.refusal is not None:
            raise self.refusal
        self.statements += statements

    def events(self, *kinds):
        """The predicates that are events, of these kinds or of any."""
        found = [s.predicate for s in self.statements if "eventType" in s.predicate]
        return [event for event in found if not kinds or event["eventType"] in kinds]

    def of(self, name):
        return [s.predicate for s in self.statements if name_of(s.predicate_type) == name]

    def gaps(self):
        return [(gap["what"], gap.get("path")) for gap in self.of("gap")]


class Recorder:
    """A book, and short ways to tell it what happens."""

    def __init__(self, root, config=None, problem=""):
        self.archive = FakeArchive()
        self.root = root
        self.answers = []
        config = config or Config()
        reader = Reader(KnownRecords(str(root)), records_max_bytes=config.records_max_bytes)
        notary = Notary(str(root), config, sink=self.archive, on_open=lambda: None)
        self.book = Book(
            str(root), config, reader=reader, notary=notary, answer=self.answers.append, problem=problem, workers=1
        )

    def begin(self, run=None, *, job="job", kind="RUN", at=None, **members):
        run = run or str(uuid.uuid4())
        if "enclosing" not in members:
            members.setdefault("process", {"id": "1", "script": None})
        self.say("begin", run, job=job, kind=kind, at=at or time.time_ns(), **members)
        return run

    def say(self, do, run, **members):
        self.book.handle({"do": do, "run": run, "at": time.time_ns(), **members})

    def read(self, run, *paths, via="open", **members):
        self.say("read", run, paths=[str(path) for path in paths], cwd=str(self.root), via=via, **members)

    def write(self, run, path, text=None, via="open", **members):
        self.say("write", run, path=str(path), via=via, **members)
        if text is not None:
            path.write_text(text)

    def end(self, run, **members):
        self.say("end", run, **{"state": "COMPLETE", "reason": "returned", **members})

    def close(self):
        self.book.close(at_ns=time.time_ns())
        return self.archive

    def last(self):
        """The event that ended the only run."""
        [event] = [event for event in self.close().events() if event["eventType"] != "START"]
        return event


@pytest.fixture
def root(tmp_path):
    folder = (tmp_path / "project").resolve()
    folder.mkdir()
    return folder


@pytest.fixture
def make_recorder(root):
    return lambda config=None, problem="": Recorder(root, config, problem)


@pytest.fixture
def recorder(make_recorder):
    return make_recorder()
