"""What the server is told, and what it says when that makes no sense."""

import dataclasses
from pathlib import Path

import pytest

from wherefrom.errors import FormatError
from wherefrom.server.settings import PREFIX, Settings, read_settings

DOCS = Path(__file__).parents[3] / "docs" / "server.md"


def test_the_command_line_goes_before_the_environment_and_that_before_the_default():
    environment = {f"{PREFIX}MAX_BATCH": "5", f"{PREFIX}STRICT": "true", "OTHER": "x"}
    assert read_settings(environment) == Settings(max_batch=5, strict=True)
    assert read_settings(environment, strict=False, policies=None) == Settings(max_batch=5, strict=False)
    assert read_settings({}) == Settings()


def test_lists_and_folders_are_read():
    environment = {f"{PREFIX}CORS_ORIGINS": "https://a.example, https://b.example", f"{PREFIX}POLICIES": "/etc/p"}
    found = read_settings(environment)
    assert found.cors_origins == ("https://a.example", "https://b.example")
    assert found.policies == Path("/etc/p")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("MAX_BATCH", "many"),
        ("MAX_BATCH", "0"),
        ("MAX_BATCH", "-1"),
        ("STRICT", "perhaps"),
        ("MAX_BACH", "5"),
        ("LIVE_POLL_S", "nan"),
        ("MAX_BATCH", "1.5"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(name, text):
    with pytest.raises(FormatError, match=f"{PREFIX}{name}"):
        read_settings({f"{PREFIX}{name}": text})


def test_a_number_of_processes_may_be_0():
    assert read_settings({f"{PREFIX}READERS": "0"}).readers == 0
    assert read_settings({}).readers is None
    with pytest.raises(FormatError, match=r"READERS is '-1', expected a whole number, 0 or above"):
        read_settings({f"{PREFIX}READERS": "-1"})


def test_the_docs_have_each_setting_with_its_default():
    page = DOCS.read_text()
    for field in dataclasses.fields(Settings):
        assert f"`{PREFIX}{field.name.upper()}`" in page, field.name
