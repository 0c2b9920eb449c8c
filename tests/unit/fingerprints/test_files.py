import hashlib
import os
import socket
import threading

import pytest

from wherefrom.errors import FormatError, NotFoundError, UnavailableError
from wherefrom.fingerprints import FileEntry, file_digests, fingerprint_entries, fingerprint_files, read_file_entries


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"alpha")
    (folder / "sub" / "b.txt").write_bytes(b"beta")
    return folder


def test_a_single_file_is_what_it_holds_whatever_it_is_called(tmp_path):
    one, other = tmp_path / "one.csv", tmp_path / "other.bin"
    one.write_bytes(b"hello\n")
    other.write_bytes(b"hello\n")
    fingerprint = fingerprint_files(one)
    assert fingerprint == fingerprint_files(str(other))
    assert (fingerprint.count, fingerprint.total_bytes) == (1, 6)
    assert fingerprint.sha256 == hashlib.sha256(b"hello\n").hexdigest()
    other.write_bytes(b"hellO\n")
    assert fingerprint_files(other).id != fingerprint.id


def test_a_folder_with_one_file_is_not_that_file(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"x")
    assert fingerprint_files(tmp_path / "folder").id != fingerprint_files(tmp_path / "folder" / "file").id


def test_entries_are_in_the_order_of_path_bytes(folder):
    (folder / "sub-1").write_bytes(b"")
    (folder / ".hidden").write_bytes(b"h")
    assert [entry.path for entry in read_file_entries(folder)] == [".hidden", "a.txt", "sub-1", "sub/b.txt"]


def test_empty_folders_leave_no_trace_and_empty_files_do(folder):
    before = fingerprint_files(folder)
    (folder / "empty" / "deeper").mkdir(parents=True)
    assert fingerprint_files(folder) == before
    (folder / "empty" / "file").touch()
    assert fingerprint_files(folder).id != before.id
    assert fingerprint_files(folder / "empty" / "deeper").count == 0


def test_large_and_small_files_are_read_alike(folder, monkeypatch):
    (folder / "large-1").write_bytes(os.urandom(700_000))
    (folder / "large-2").write_bytes(os.urandom(300_000))
    in_threads = fingerprint_files(folder)
    monkeypatch.setattr(file_digests, "_IN_LINE_BYTES", 2**40)
    assert fingerprint_files(folder) == in_threads


def test_a_file_that_is_read_ahead_is_read_alike(folder, monkeypatch):
    (folder / "large").write_bytes(os.urandom(70_001))
    plain, threads = fingerprint_files(folder / "large"), threading.active_count()
    monkeypatch.setattr(file_digests, "_AHEAD_FROM_BYTES", 1)
    for size in (70_000, 70_001, 1_000, 1 << 20):
        monkeypatch.setattr(file_digests, "_AHEAD_BUFFER_BYTES", size)
        assert fingerprint_files(folder / "large") == plain
    read = os.readv

    def read_and_write(descriptor, buffers):
        with (folder / "large").open("ab") as file:
            file.write(b"!")
        return read(descriptor, buffers)

    monkeypatch.setattr(os, "readv", read_and_write)
    with pytest.raises(UnavailableError, match="changed while it was read"):
        fingerprint_files(folder / "large")
    assert threading.active_count() == threads


def test_links_count_as_what_they_lead_to(folder, tmp_path):
    (tmp_path / "elsewhere").write_bytes(b"gamma")
    copied, linked = tmp_path / "copied", tmp_path / "linked"
    for target in (copied, linked):
        target.mkdir()
    (copied / "sub").mkdir()
    (copied / "sub" / "b.txt").write_bytes(b"beta")
    (copied / "c").write_bytes(b"gamma")
    (linked / "sub").symlink_to(folder / "sub")
    (linked / "c").symlink_to("../elsewhere")
    assert fingerprint_files(linked) == fingerprint_files(copied)
    (tmp_path / "alias").symlink_to(linked)
    assert fingerprint_files(tmp_path / "alias") == fingerprint_files(copied)


def test_two_links_to_one_folder_are_no_loop(folder):
    (folder / "again").symlink_to("sub")
    (folder / "and again").symlink_to("sub")
    assert fingerprint_files(folder).count == 4


@pytest.mark.parametrize("target", [".", "..", "../sub/up"])
def test_a_link_back_up_is_refused(folder, target):
    (folder / "sub" / "up").symlink_to(target)
    with pytest.raises((FormatError, UnavailableError), match="up"):
        fingerprint_files(folder)


def test_a_link_to_nothing_can_not_be_checked(folder):
    (folder / "gone").symlink_to("nowhere")
    with pytest.raises(UnavailableError, match="gone' leads to 'nowhere', which is not there"):
        fingerprint_files(folder)


def test_special_files_are_refused_by_name_and_kind(folder, tmp_path):
    os.mkfifo(folder / "pipe")
    with pytest.raises(FormatError, match="pipe' is a named pipe"):
        fingerprint_files(folder)
    (folder / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        with pytest.raises(FormatError, match="socket' is a socket"):
            fingerprint_files(folder)
    with pytest.raises(FormatError, match="/dev/null' is a character device"):
        fingerprint_files("/dev/null")


def test_names_that_are_not_utf_8_are_refused(folder):
    (folder / os.fsdecode(b"caf\xe9")).touch()
    with pytest.raises(FormatError, match=r"caf\\xe9' is not UTF-8"):
        fingerprint_files(folder)


def test_a_file_that_changes_while_it_is_read_can_not_be_checked(folder, monkeypatch):
    read = os.readv

    def read_and_write(descriptor, buffers):
        with (folder / "a.txt").open("ab") as file:
            file.write(b"!")
        return read(descriptor, buffers)

    fingerprint_files(folder)
    monkeypatch.setattr(os, "readv", read_and_write)
    with pytest.raises(UnavailableError, match=r"a\.txt' changed while it was read") as caught:
        fingerprint_files(folder / "a.txt")
    assert "again" in caught.value.hint


def test_a_change_that_keeps_size_and_mtime_is_noticed(folder, monkeypatch):
    state, read = (folder / "a.txt").stat(), os.readv

    def rewrite(descriptor, buffers):
        (folder / "a.txt").write_bytes(b"ALPHA")
        os.utime(folder / "a.txt", ns=(state.st_atime_ns, state.st_mtime_ns))
        return read(descriptor, buffers)

    monkeypatch.setattr(os, "readv", rewrite)
    with pytest.raises(UnavailableError, match="changed while it was read"):
        fingerprint_files(folder / "a.txt")


def test_what_can_not_be_read_is_named(folder, monkeypatch):
    def refuse(path, flags):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(UnavailableError, match=r"can't read '.*a\.txt': Permission denied"):
        fingerprint_files(folder / "a.txt")


def test_nothing_there_is_not_found(tmp_path):
    with pytest.raises(NotFoundError, match=r"no file or folder at '.*nowhere'"):
        fingerprint_files(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(NotFoundError):
        fingerprint_files(tmp_path / "file" / "below")


def test_two_entries_for_one_path_are_refused():
    entry = FileEntry("a", 0, hashlib.sha256().digest())
    assert fingerprint_entries([entry]).count == 1
    with pytest.raises(FormatError, match="two entries for the file 'a'"):
        fingerprint_entries([entry, entry])


def test_progress_ends_at_the_total(folder):
    (folder / "large").write_bytes(bytes(1_500_000))
    told = []
    fingerprint_files(folder, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (1_500_009, 1_500_009)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert len(told) >= 4  # also within a large file
