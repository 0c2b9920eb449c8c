import hashlib
import subprocess

import pytest

from wherefrom.capture.recorder.environment import (
    describe_host,
    describe_script,
    list_packages,
    read_git,
    strip_credentials,
)


@pytest.fixture
def work_tree(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init", "-b", "main")
    (tmp_path / "train.py").write_text("print(1)\n")
    git("add", ".")
    git("commit", "-m", "first")
    return tmp_path, git


def test_a_clean_work_tree(work_tree):
    folder, git = work_tree
    git("remote", "add", "origin", "https://ada:secret@example.com/project.git")
    state, problem = read_git(str(folder))
    assert problem == ""
    assert len(state.commit) == 40
    assert state.to_json() == {
        "commit": state.commit,
        "branch": "main",
        "repository": "https://example.com/project.git",
        "isDirty": False,
    }


def test_changes_that_are_not_committed_have_a_digest_and_untracked_files_have_none(work_tree):
    folder, _ = work_tree
    (folder / "untracked").touch()
    assert read_git(str(folder))[0].diff_sha256 is None
    (folder / "train.py").write_text("print(2)\n")
    first = read_git(str(folder))[0]
    assert first.to_json()["isDirty"] is True
    (folder / "train.py").write_text("print(3)\n")
    assert read_git(str(folder))[0].diff_sha256 != first.diff_sha256


def test_a_detached_head_has_no_branch(work_tree):
    folder, git = work_tree
    git("checkout", "--detach")
    state, _ = read_git(str(folder))
    assert "branch" not in state.to_json()


def test_without_a_work_tree_there_is_no_state_and_no_problem(tmp_path):
    assert read_git(str(tmp_path)) == (None, "")


def test_a_work_tree_without_a_commit_is_a_problem(tmp_path):
    subprocess.run(["git", "init"], cwd=tmp_path, check=True, capture_output=True)
    state, problem = read_git(str(tmp_path))
    assert state is None
    assert problem.startswith("git: ")


def test_without_git_there_is_no_state(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert read_git(str(tmp_path)) == (None, "")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:token@example.com/a.git", "https://example.com/a.git"),
        ("https://example.com/a.git", "https://example.com/a.git"),
        ("ssh://git@example.com:22/a.git", "ssh://example.com:22/a.git"),
        ("git@example.com:a/b.git", "ssh://example.com/a/b.git"),
        ("/srv/git/a.git", "/srv/git/a.git"),
        ("", ""),
    ],
)
def test_credentials_are_not_recorded(url, shown):
    assert strip_credentials(url) == shown


def test_packages_are_told_by_folder_names_and_the_first_folder_wins(tmp_path):
    for folder, names in {
        "a": ["scikit_learn-1.9.1.dist-info", "numpy-2.4.6.dist-info", "notes.txt"],
        "b": ["numpy-1.0.dist-info", "old_style-0.1-py3.11.egg-info", "Zope.Interface-5.dist-info"],
    }.items():
        for name in names:
            (tmp_path / folder / name).mkdir(parents=True)
    found = list_packages([str(tmp_path / name) for name in ("a", "missing", "b")])
    assert found == {"numpy": "2.4.6", "old-style": "0.1", "scikit-learn": "1.9.1", "zope-interface": "5"}
    assert list(found) == sorted(found)


def test_script_and_host(tmp_path):
    script = tmp_path / "train.py"
    script.write_bytes(b"print(1)")
    assert describe_script(str(script)) == {
        "path": str(script),
        "sha256": hashlib.sha256(b"print(1)").hexdigest(),
    }
    assert describe_script(str(tmp_path / "none.py")) == {"path": str(tmp_path / "none.py")}
    assert describe_script(None) == {}
    assert describe_host()["cpus"] >= 1
