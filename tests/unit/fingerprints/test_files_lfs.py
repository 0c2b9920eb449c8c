"""Git LFS, with the real `git lfs` and with pointers."""

import hashlib
import os
import shutil
import subprocess

import pytest

from wherefrom.errors import FormatError, MismatchError
from wherefrom.fingerprints import fingerprint_entries, fingerprint_files
from wherefrom.fingerprints.lfs import parse_pointer, read_checkout_entries

CONTENT = b"model weights" * 100
POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    f"oid sha256:{hashlib.sha256(CONTENT).hexdigest()}\n"
    f"size {len(CONTENT)}\n"
).encode()


@pytest.fixture
def checkout(tmp_path):
    folder = tmp_path / "checkout"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "weights.bin").write_bytes(CONTENT)
    (folder / "notes.txt").write_bytes(b"no pointer, and small enough to be one: version https://git-lfs")
    (folder / "empty").touch()
    return folder


def test_the_pointer_that_git_lfs_writes_has_the_files_sha256(checkout):
    if shutil.which("git-lfs") is None:
        pytest.skip("git-lfs is not installed")
    path = checkout / "models" / "weights.bin"
    command = ["git", "lfs", "pointer", f"--file={path}"]
    environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "HOME": str(checkout.parent)}
    pointer = subprocess.run(command, capture_output=True, check=True, env=environment, cwd=checkout.parent).stdout
    assert pointer == POINTER
    digest, size = parse_pointer(pointer)
    fingerprint = fingerprint_files(path)
    assert (digest.hex(), size) == (fingerprint.sha256, fingerprint.total_bytes)


def test_a_checkout_of_pointers_is_the_one_of_files(checkout):
    whole = fingerprint_files(checkout)
    assert fingerprint_entries(read_checkout_entries(checkout)) == whole
    (checkout / "models" / "weights.bin").write_bytes(POINTER)
    assert fingerprint_entries(read_checkout_entries(checkout)) == whole
    assert fingerprint_files(checkout) != whole
    (checkout / "models" / "weights.bin").write_bytes(POINTER.replace(b"sha256:", b"sha256:0"))
    with pytest.raises(FormatError, match=r"weights\.bin': Git LFS pointer has oid"):
        read_checkout_entries(checkout)


def test_a_single_pointer_is_its_file(checkout):
    path = checkout / "models" / "weights.bin"
    whole = fingerprint_files(path)
    path.write_bytes(POINTER)
    assert fingerprint_entries(read_checkout_entries(path)) == whole


def test_a_pointer_that_changes_between_two_readings_is_noticed(checkout, monkeypatch):
    monkeypatch.setattr("pathlib.Path.read_bytes", lambda path: POINTER)
    with pytest.raises(MismatchError, match=r"notes\.txt' changed while"):
        read_checkout_entries(checkout)


@pytest.mark.parametrize(
    "data", [b"", b"version https://git-lfs.github.com/spec/v2\n", b"x" + POINTER, POINTER + bytes(1024), CONTENT]
)
def test_what_is_no_pointer_is_none(data):
    assert parse_pointer(data) is None


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (POINTER[:-1], "a line that is not 'key value'"),
        (POINTER + b"\xff", "a line that is not 'key value'"),
        (POINTER + b"size 3\n", "version, oid, size, size, expected"),
        (POINTER.replace(b"size", b"width"), "version, oid, width, expected"),
        (POINTER.replace(b"sha256:", b"md5:"), "oid 'md5:"),
        (POINTER.replace(b"size 1", b"size -1"), "size '-1"),
        (POINTER.replace(b"\noid", b"\next-0-case sha256:00\noid"), "the extension 'ext-0-case'"),
    ],
)
def test_pointers_that_are_malformed_are_refused(data, says):
    with pytest.raises(FormatError, match=says):
        parse_pointer(data)
