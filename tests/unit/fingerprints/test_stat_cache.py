import os
import threading
import time
from pathlib import Path

import pytest

from wherefrom.errors import UnavailableError
from wherefrom.fingerprints import file_digests, fingerprint_files, read_file_entries, stat_cache
from wherefrom.fingerprints.stat_cache import Snapshot, StatCache
from wherefrom.fingerprints.walk import pack_state
from wherefrom.merkle import hash_leaf, root_of


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"alpha")
    (folder / "sub" / "b.txt").write_bytes(b"beta")
    (folder / "sub-1").write_bytes(b"")
    (folder / "large").write_bytes(os.urandom(300_000))
    (folder / "larger").write_bytes(os.urandom(400_000))
    return folder


@pytest.fixture
def cache(tmp_path):
    return StatCache(tmp_path / "cache" / "files")


@pytest.fixture
def old_enough(monkeypatch):
    """The files of these tests are new: take them for clearly older than the moment they are read."""
    monkeypatch.setattr(stat_cache, "_CLEARLY_NS", -3_600 * 10**9)


@pytest.fixture
def opened(monkeypatch):
    """Names of the files that are read."""
    names, real = [], os.open

    def note(path, flags, *rest, **named):
        if flags == file_digests._FLAGS:
            names.append(Path(path).name)
        return real(path, flags, *rest, **named)

    monkeypatch.setattr(os, "open", note)
    return names


def snapshots(cache):
    return sorted(cache.folder.iterdir())


@pytest.mark.usefixtures("old_enough")
def test_an_unchanged_folder_is_not_read_again(folder, cache, opened):
    first = fingerprint_files(folder, cache=cache)
    assert sorted(opened) == ["a.txt", "b.txt", "large", "larger", "sub-1"]
    assert first == fingerprint_files(folder)
    opened.clear()
    assert fingerprint_files(folder, cache=cache) == first
    assert read_file_entries(folder, cache=StatCache(cache.folder)) == read_file_entries(folder, cache=None)
    assert sorted(opened) == ["a.txt", "b.txt", "large", "larger", "sub-1"]  # by the call without a cache
    assert cache.problem is None


@pytest.mark.usefixtures("old_enough")
def test_a_single_file_is_known_by_its_own_path_and_keeps_its_sha256(folder, cache, opened):
    first = fingerprint_files(folder / "large", cache=cache)
    opened.clear()
    again = fingerprint_files(folder / "large", cache=cache)
    assert (again, again.sha256, opened) == (first, first.sha256, [])
    assert again.sha256 == fingerprint_files(folder / "large").sha256
    assert fingerprint_files(folder / "larger", cache=cache) != first


@pytest.mark.usefixtures("old_enough")
def test_an_empty_folder_and_one_empty_file_are_kept_apart(tmp_path, cache):
    (tmp_path / "empty").mkdir()
    (tmp_path / "one").touch()
    for path, count in (("empty", 0), ("one", 1)):
        for _ in range(2):
            fingerprint = fingerprint_files(tmp_path / path, cache=cache)
            assert fingerprint == fingerprint_files(tmp_path / path)
            assert (fingerprint.count, len(read_file_entries(tmp_path / path, cache=cache))) == (count, count)


def change_content(folder):
    (folder / "sub" / "b.txt").write_bytes(b"BETA")


def change_content_and_put_the_time_back(folder):
    state = (folder / "sub" / "b.txt").stat()
    (folder / "sub" / "b.txt").write_bytes(b"BETA")
    os.utime(folder / "sub" / "b.txt", ns=(state.st_atime_ns, state.st_mtime_ns))


def put_another_file_of_that_time_in_its_place(folder):
    state = (folder / "sub" / "b.txt").stat()
    (folder / "new").write_bytes(b"BETA")
    os.utime(folder / "new", ns=(state.st_atime_ns, state.st_mtime_ns))
    (folder / "new").replace(folder / "sub" / "b.txt")


@pytest.mark.usefixtures("old_enough")
@pytest.mark.parametrize(
    "change", [change_content, change_content_and_put_the_time_back, put_another_file_of_that_time_in_its_place]
)
def test_only_the_file_that_changed_is_read(folder, cache, opened, change):
    first = fingerprint_files(folder, cache=cache)
    change(folder)
    opened.clear()
    second = fingerprint_files(folder, cache=cache)
    assert opened == ["b.txt"]
    assert first != second == fingerprint_files(folder)
    opened.clear()
    assert fingerprint_files(folder, cache=cache) == second
    assert opened == []


@pytest.mark.usefixtures("old_enough")
def test_files_that_come_go_and_move_are_seen(folder, cache, opened):
    fingerprint_files(folder, cache=cache)
    (folder / "0").write_bytes(b"new")
    (folder / "large").rename(folder / "sub" / "large")
    (folder / "sub-1").unlink()
    opened.clear()
    assert fingerprint_files(folder, cache=cache) == fingerprint_files(folder)
    assert opened[:2] == ["0", "large"]  # what is in another place is read again
    assert "larger" not in opened[:2]


@pytest.mark.usefixtures("old_enough")
def test_a_link_led_elsewhere_is_seen(folder, cache):
    (folder / "link").symlink_to("large")
    first = fingerprint_files(folder, cache=cache)
    (folder / "link").unlink()
    (folder / "link").symlink_to("larger")
    assert first != fingerprint_files(folder, cache=cache) == fingerprint_files(folder)


def test_a_file_that_changed_just_before_it_was_read_is_read_again(folder, cache, opened, monkeypatch):
    """Else a change within one tick of the file system's clock would go unseen; here the clock stands still."""
    first_states = {}

    def stand_still(state):
        return first_states.setdefault((state.st_ino, state.st_size), pack_state(state))

    monkeypatch.setattr("wherefrom.fingerprints.walk.pack_state", stand_still)
    monkeypatch.setattr("wherefrom.fingerprints.file_digests.pack_state", stand_still)
    first = fingerprint_files(folder, cache=cache)
    (folder / "a.txt").write_bytes(b"ALPHA")
    assert first != fingerprint_files(folder, cache=cache) == fingerprint_files(folder)
    # The same, had the times been taken for old enough: this is what the rule is for.
    monkeypatch.setattr(stat_cache, "_CLEARLY_NS", -3_600 * 10**9)
    second = fingerprint_files(folder, cache=cache)
    (folder / "a.txt").write_bytes(b"gamma")
    assert second == fingerprint_files(folder, cache=cache) != fingerprint_files(folder)


def test_what_is_clearly_older_is_trusted_and_what_is_not_is_zeroed():
    second = 10**9

    def state(mtime_ns, ctime_ns):
        return b"".join(number.to_bytes(8, "little", signed=True) for number in (1, 2, 3, mtime_ns, ctime_ns))

    old = state(90 * second, 97 * second)
    fresh = [state(90 * second, 98 * second), state(98 * second, 90 * second), state(101 * second, 90 * second)]
    before_1970 = state(-second, 0)
    snapshot = Snapshot(b"a\0b\0c\0d\0e", b"".join([old, *fresh, before_1970]), bytes(160), bytes(160), bytes(32))
    kept = snapshot.without_fresh(range(5), 100 * second)
    assert kept.states == old + 3 * bytes(40) + before_1970
    assert snapshot.without_fresh(range(5), 200 * second) == snapshot
    assert snapshot.without_fresh([0, 2], 100 * second).states == old + fresh[0] + bytes(40) + fresh[2] + before_1970


@pytest.mark.parametrize("count", [0, 1, 2, 255, 256, 257, 511, 512, 600, 1025])
def test_nodes_that_are_known_lead_to_the_same_root(count):
    leaves = [hash_leaf(index.to_bytes(2)) for index in range(count)]
    known = Snapshot.of(b"", b"", b"", b"".join(leaves))
    assert known.root == root_of(leaves)
    for index in {0, count // 2, count - 1} & set(range(count)):
        changed = [*leaves[:index], hash_leaf(b"changed"), *leaves[index + 1 :]]
        for others in (changed, leaves[:index], [*leaves, *leaves]):
            found = Snapshot.of(b"", b"", b"", b"".join(others), known=known)
            assert found == Snapshot.of(b"", b"", b"", b"".join(others))
            assert found.root == root_of(others)


@pytest.mark.usefixtures("old_enough")
def test_a_file_that_changes_while_it_is_read_is_not_remembered(folder, cache, monkeypatch):
    fingerprint_files(folder, cache=cache)
    kept = snapshots(cache)[0].read_bytes()
    change_content(folder)
    read = os.readv

    def read_and_write(descriptor, buffers):
        with (folder / "sub" / "b.txt").open("ab") as file:
            file.write(b"!")
        return read(descriptor, buffers)

    with monkeypatch.context() as patched:
        patched.setattr(os, "readv", read_and_write)
        with pytest.raises(UnavailableError, match=r"b\.txt' changed while it was read"):
            fingerprint_files(folder, cache=cache)
    assert snapshots(cache)[0].read_bytes() == kept
    assert fingerprint_files(folder, cache=cache) == fingerprint_files(folder)


@pytest.mark.usefixtures("old_enough")
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: data[: len(data) // 2],
        lambda data: bytes(len(data)),
        lambda data: b"wherefrom files 2" + data[17:],
        lambda data: b"SQLite format 3\0" * 10,
        *(
            lambda data, at=at: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            for at in (0, 33, 41, 60, 90, 130, -1)
        ),
    ],
)
def test_a_damaged_or_foreign_snapshot_is_ignored_and_rewritten(folder, cache, opened, damage):
    right = fingerprint_files(folder, cache=cache)
    (file,) = snapshots(cache)
    kept = file.read_bytes()
    file.write_bytes(damage(kept))
    opened.clear()
    assert fingerprint_files(folder, cache=cache) == right
    assert len(opened) == 5
    assert snapshots(cache) == [file]
    assert file.read_bytes() == kept


@pytest.mark.usefixtures("old_enough")
def test_a_snapshot_of_another_user_is_not_believed(folder, cache, opened, monkeypatch):
    fingerprint_files(folder, cache=cache)
    opened.clear()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    fingerprint_files(folder, cache=cache)
    assert len(opened) == 5


def test_a_cache_that_can_not_be_written_is_told_and_the_fingerprint_is_right(folder, tmp_path):
    (tmp_path / "file").touch()
    cache = StatCache(tmp_path / "file" / "cache")
    assert fingerprint_files(folder, cache=cache) == fingerprint_files(folder)
    assert "can't write the stat cache" in cache.problem
    assert "Not a directory" in cache.problem


def test_a_full_disk_leaves_nothing_behind(folder, cache, monkeypatch):
    def fill(self, data):
        self.open("wb").close()
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr("pathlib.Path.write_bytes", fill)
    right = fingerprint_files(folder)
    assert fingerprint_files(folder, cache=cache) == right
    assert "No space left on device" in cache.problem
    assert snapshots(cache) == []


def test_what_killed_writers_left_is_swept_and_what_others_write_now_is_not(folder, cache):
    cache.folder.mkdir(parents=True)
    for name, age_s in (("left", 7_200), ("now", 0)):
        file = cache.folder / f".new-{name}"
        file.touch()
        os.utime(file, (time.time() - age_s,) * 2)
    fingerprint_files(folder, cache=cache)
    assert sorted(path.name for path in snapshots(cache) if path.name.startswith(".")) == [".new-now"]
    assert cache.problem is None


@pytest.mark.usefixtures("old_enough")
def test_many_writers_and_readers_at_once_are_all_right(folder, cache):
    right, wrong = fingerprint_files(folder), []

    def work():
        found = [fingerprint_files(folder, cache=StatCache(cache.folder)) for _ in range(20)]
        wrong.extend(fingerprint for fingerprint in found if fingerprint != right)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(snapshots(cache)) == 1


@pytest.mark.usefixtures("old_enough")
def test_progress_counts_what_is_not_read_too(folder, cache):
    told = []
    total = fingerprint_files(folder, cache=cache).total_bytes
    change_content(folder)
    for _ in range(2):
        fingerprint_files(folder, cache=cache, progress=lambda done, whole: told.append((done, whole)))
        assert told[-1] == (total, total)


def test_the_moment_of_reading_is_that_before_listing(folder, cache, monkeypatch):
    """Not that of writing the snapshot: a file may change between the two."""
    told, listed, scan = [], [], os.scandir
    real = Snapshot.without_fresh

    def note_scan(*where):
        listed.append(time.time_ns())
        return scan(*where)

    monkeypatch.setattr(
        Snapshot, "without_fresh", lambda self, read, began_ns: told.append(began_ns) or real(self, read, began_ns)
    )
    monkeypatch.setattr(os, "scandir", note_scan)
    before = time.time_ns()
    fingerprint_files(folder, cache=cache)
    assert before <= told[0] <= listed[0]
