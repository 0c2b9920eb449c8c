import inspect
import sys
from types import ModuleType

import pytest

from wherefrom.capture.native.points import (
    leaves_gap,
    listen,
    listen_to_class,
    listen_to_functions,
    opens,
    reads,
    writes,
)
from wherefrom.capture.wrap import argument, call_before, replace


@pytest.fixture
def library(monkeypatch):
    """A module as if it had been imported."""

    def load(path, *, fast=False):
        """Load it."""
        return ("loaded", path, fast)

    module = ModuleType("wf_library")
    module.__spec__ = None
    module.load = load
    monkeypatch.setitem(sys.modules, "wf_library", module)
    return module


def test_a_wrapped_function_does_and_looks_as_before(journal, library):
    before = library.load
    listen_to_functions(library, [("load", reads("wf.load", 0, "path"))])
    assert library.load is not before
    assert library.load("a.csv", fast=True) == ("loaded", "a.csv", True)
    assert inspect.signature(library.load) == inspect.signature(before)
    assert (library.load.__name__, library.load.__doc__) == ("load", "Load it.")


def test_it_is_wrapped_once_and_without_a_run_says_nothing(channel, library):
    listen_to_functions(library, [("load", reads("wf.load", 0, "path"))])
    wrapped = library.load
    listen_to_functions(library, [("load", reads("wf.load", 0, "path"))])
    assert library.load is wrapped
    assert library.load("a.csv") == ("loaded", "a.csv", False)
    assert channel.said == []


def test_names_that_others_imported_before_are_wrapped_too(journal, channel, library, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    user = ModuleType("wf_user")
    user.load = library.load
    monkeypatch.setitem(sys.modules, "wf_user", user)
    listen_to_functions(library, [("load", reads("wf.load", 0, "path"))])
    user.load("a.csv")
    assert channel.paths_read() == ["a.csv"]


def test_a_function_that_a_version_of_the_library_lacks_is_passed_over(library):
    listen_to_functions(library, [("save", writes("wf.save", 0, "path"))])
    assert not hasattr(library, "save")
    listen(None, "wf.save", "save", writes("wf.save", 0, "path"))


def test_errors_of_the_library_come_through_and_errors_of_ours_do_not(journal, channel):
    def fail(path):
        raise KeyError(path)

    module = ModuleType("wf_fails")
    module.fail = fail
    assert replace(module, "fail", call_before("wf.fail", lambda *_: 1 / 0))
    with pytest.raises(KeyError, match=r"a\.csv"):
        module.fail("a.csv")
    assert channel.said[-1]["detail"].startswith("wf.fail: ZeroDivisionError")
    for _ in range(9):
        with pytest.raises(KeyError):
            module.fail("a.csv")
    assert len(channel.of("gap")) == 5


def test_arguments_are_found_by_position_and_by_name():
    assert argument(("a", "b"), {}, 1, "path") == "b"
    assert argument(("a",), {"path": "b"}, 1, "path") == "b"
    assert argument(("a",), {}, 1, "path") is None
    assert argument((), {}, 0, "mode", "r") == "r"


@pytest.mark.parametrize(("mode", "expected"), [(None, ["read"]), ("r", ["read"]), ("w", ["write"]), ("z", [])])
def test_modes(journal, channel, tmp_path, mode, expected):
    note = opens("wf.open", 0, "path", 1, {"r": "read", "w": "write"}, default="r")
    note(journal, (str(tmp_path / "x"),) if mode is None else (str(tmp_path / "x"), mode), {})
    assert [message["do"] for message in channel.said] == expected


def test_what_can_not_be_named_leaves_a_gap(journal, channel):
    leaves_gap("wf.query")(journal, (), {})
    assert channel.said[-1]["detail"] == "wf.query: what it read or wrote was not seen"


def test_a_class_in_c_is_replaced_by_one_that_counts_as_the_same(journal, channel, tmp_path, monkeypatch):
    import _io

    module = ModuleType("wf_io")
    module.__spec__ = None
    module.FileIO = original = _io.FileIO
    monkeypatch.setitem(sys.modules, "wf_io", module)
    listen_to_class(module, "FileIO", writes("wf.FileIO", 1, "file"))
    with module.FileIO(str(tmp_path / "x"), "w") as file:
        file.write(b"y")
        assert isinstance(file, original)
    assert channel.said[-1]["path"] == str(tmp_path / "x")
    with original(str(tmp_path / "x")) as file:
        assert isinstance(file, module.FileIO)
    assert issubclass(original, module.FileIO)
    assert not issubclass(dict, module.FileIO)
    replaced = module.FileIO
    listen_to_class(module, "FileIO", writes("wf.FileIO", 1, "file"))
    assert module.FileIO is replaced
