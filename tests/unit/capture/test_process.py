import json
import os
import sys
from pathlib import Path

import pytest

from wherefrom.capture.process import (
    LAUNCHED,
    PARENT,
    Launched,
    describe_process,
    find_script,
    parent_run,
    read_launched,
    working_directory,
)


def test_a_process_says_what_the_recorder_can_not_find_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    process = describe_process("/project/train.py")
    assert process["script"] == "/project/train.py"
    assert process["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
    assert process["workingDirectory"] == str(tmp_path)
    assert process["command"] == sys.orig_argv
    assert str(Path(os.__file__).parent) in process["installed"]
    assert all(Path(folder).is_dir() for folder in process["packageFolders"])
    assert describe_process(None)["id"] != process["id"]
    json.dumps(process)


def test_the_script_is_the_main_modules_file(monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "train.py", raising=False)
    assert find_script() == str(Path("train.py").absolute())
    monkeypatch.delattr(sys.modules["__main__"], "__file__")
    assert find_script() is None


def test_a_working_directory_that_is_gone(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert working_directory() == "/"


def test_the_parent_run(monkeypatch):
    monkeypatch.delenv(PARENT, raising=False)
    assert parent_run() is None
    monkeypatch.setenv(PARENT, "an-id a job with spaces")
    assert parent_run() == {"run": "an-id", "job": "a job with spaces"}


def test_only_the_direct_child_of_the_launcher_is_launched(monkeypatch):
    pipe, replies = os.pipe()
    os.set_inheritable(pipe, True)
    launched = Launched(os.getppid(), "an-id", "/project", None, pipe, replies)
    monkeypatch.setenv(LAUNCHED, json.dumps(launched))
    assert read_launched() == launched
    assert not os.get_inheritable(pipe)
    assert LAUNCHED not in os.environ
    assert read_launched() is None
    monkeypatch.setenv(LAUNCHED, json.dumps(launched._replace(launcher=1 if os.getppid() != 1 else 2)))
    assert read_launched() is None
    os.close(pipe)
    os.close(replies)


def test_descriptors_that_are_not_open_any_more_are_not_used(monkeypatch):
    pipe, replies = os.pipe()
    os.close(pipe)
    os.close(replies)
    monkeypatch.setenv(LAUNCHED, json.dumps(Launched(os.getppid(), "an-id", "/", None, pipe, replies)))
    assert read_launched() is None


@pytest.mark.parametrize("name", ["autolog", "run", "init", "log_metric", "Run"])
def test_the_package_offers_it_without_importing_it_first(name):
    import wherefrom

    assert name in dir(wherefrom)
    assert getattr(wherefrom, name).__module__ == "wherefrom.capture.sdk"
    with pytest.raises(AttributeError, match="nothing"):
        _ = wherefrom.nothing
