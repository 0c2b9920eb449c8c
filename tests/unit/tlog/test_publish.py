"""Publishing as static files: what is new, in an order in which no reader sees a checkpoint without its tiles."""

import os
import threading

import pytest
from tiled_logs import KEY, flip, make_log

from wherefrom.errors import ConflictError, MismatchError, UnavailableError
from wherefrom.notes import SigningKey, open_checkpoint
from wherefrom.tlog.fsck import check_log
from wherefrom.tlog.publish import iter_new_tiles, publish
from wherefrom.tlog.source import FolderSource, MemorySource
from wherefrom.tlog.target import FolderTarget
from wherefrom.verify import Outcome

KEYS = [KEY.verifier_key]
SIZES = [0, 1, 3, 200, 256, 300, 600, 777]
LOGS = {size: make_log(size) for size in SIZES}


def published(folder):
    return {path: (folder / path).read_bytes() for path in FolderSource(folder).iter_paths()}


def verify_readable(folder):
    """What a reader finds there is a whole log, if there is any."""
    source = FolderSource(folder)
    if not (folder / "checkpoint").exists():
        return None
    checkpoint = open_checkpoint((folder / "checkpoint").read_bytes(), KEYS)
    assert check_log(source, checkpoint).outcome is Outcome.TRUE
    return checkpoint.size


def publish_log(log, folder, **options):
    return publish(MemorySource(log), FolderTarget(folder), KEYS, **options)


def test_publishing_again_and_again_gives_what_publishing_once_gives(tmp_path):
    for size in SIZES:
        done = publish_log(LOGS[size], tmp_path / "grown")
        assert done.size == size
        assert verify_readable(tmp_path / "grown") == size
    publish_log(LOGS[777], tmp_path / "once")
    there, once = published(tmp_path / "grown"), published(tmp_path / "once")
    assert once == LOGS[777]
    assert once.items() <= there.items()
    assert {path for path in there if path not in once} == {"tile/1/000.p/1", "tile/1/000.p/2"}


def test_partial_tiles_are_kept_if_that_is_wished(tmp_path):
    for size in SIZES:
        publish_log(LOGS[size], tmp_path, keep_partials=True)
    there = published(tmp_path)
    assert {"tile/0/000.p/1", "tile/0/000.p/200", "tile/entries/001.p/44", "tile/0/002.p/88"} <= set(there)
    assert verify_readable(tmp_path) == 777


def test_only_what_is_new_is_written(tmp_path):
    publish_log(LOGS[600], tmp_path)
    before = {path: (tmp_path / path).stat().st_ino for path in published(tmp_path)}
    done = publish_log(LOGS[777], tmp_path)
    written = {path for path in published(tmp_path) if before.get(path) != (tmp_path / path).stat().st_ino}
    assert written == {
        "checkpoint",
        "tile/0/002",
        "tile/0/003.p/9",
        "tile/1/000.p/3",
        "tile/entries/002",
        "tile/entries/003.p/9",
    }
    assert done.files == len(written)
    assert publish_log(LOGS[777], tmp_path).files == 0


def test_new_tiles_of_a_huge_log_are_few():
    assert list(iter_new_tiles(10**9, 10**9)) == []
    new = list(iter_new_tiles(10**9, 10**9 + 300))
    assert [level for level, _, _ in new] == [0, 0, 1]
    assert list(iter_new_tiles(0, 70_000))[-1] == (2, 0, 1)


class Killed(BaseException):
    """Stands for the end of the process: nothing after it runs but what the operating system does."""


STEPS = ["write", "flush", "remove", "swap"]


def test_killed_at_any_step_readers_see_a_whole_log_and_publishing_resumes(tmp_path, monkeypatch):
    """Each step of the target fails in turn, before it or after it, from each size to the next."""
    monkeypatch.setattr(os, "fsync", lambda _: None)  # no power is cut here
    tried = 0
    for old, new in [(0, 3), (200, 300), (300, 777)]:
        for is_done_first in (False, True):
            for fail_at in range(1, 1000):
                folder = tmp_path / f"{old}-{new}-{is_done_first}-{fail_at}"
                publish_log(LOGS[old], folder)
                target = _failing(folder, fail_at, is_done_first=is_done_first)
                try:
                    publish(MemorySource(LOGS[new]), target, KEYS)
                except Killed:
                    tried += 1
                else:
                    break
                assert verify_readable(folder) in {old, new}
                publish_log(LOGS[new], folder)
                assert verify_readable(folder) == new
                assert LOGS[new].items() <= published(folder).items()
    assert tried > 40


def _failing(folder, fail_at, *, is_done_first):
    target, count = FolderTarget(folder), 0

    def wrap(step):
        def failing(*arguments):
            nonlocal count
            count += 1
            if count == fail_at and not is_done_first:
                raise Killed
            result = step(*arguments)
            if count == fail_at:
                raise Killed
            return result

        return failing

    for name in STEPS:
        setattr(target, name, wrap(getattr(target, name)))
    return target


@pytest.mark.parametrize("call", ["fsync", "open", "replace"])
def test_a_failing_disk_is_said_and_what_was_published_stays(tmp_path, monkeypatch, call):
    publish_log(LOGS[300], tmp_path)
    before = published(tmp_path)
    for fail_at in range(1, 200):
        count = 0
        real = getattr(os, call)

        def failing(*arguments, _real=real, _at=fail_at, **options):
            nonlocal count
            count += 1
            if count == _at:
                raise OSError(5, "Input/output error")
            return _real(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(os, call, failing)
            try:
                publish_log(LOGS[600], tmp_path)
            except UnavailableError as error:
                assert "Input/output error" in str(error)
            else:
                break
        assert verify_readable(tmp_path) in {300, 600}
        assert all(not name.startswith(".0") for _, _, names in os.walk(tmp_path) for name in names)
    assert fail_at > 1
    assert verify_readable(tmp_path) == 600
    assert before["tile/0/000"] == published(tmp_path)["tile/0/000"]


# --- refusals --------------------------------------------------------------------------------------------------------


def test_another_log_is_not_published_over(tmp_path):
    other = SigningKey("example.com/other", bytes(32))
    publish(MemorySource(make_log(5, key=other)), FolderTarget(tmp_path), [other.verifier_key])
    before = published(tmp_path)
    with pytest.raises(ConflictError, match=r"not of log example\.com/tiled"):
        publish_log(LOGS[600], tmp_path)
    (tmp_path / "checkpoint").write_bytes(b"what is this")
    with pytest.raises(ConflictError, match="has a checkpoint already"):
        publish_log(LOGS[600], tmp_path)
    (tmp_path / "checkpoint").write_bytes(before["checkpoint"])
    assert published(tmp_path) == before


def test_a_tree_that_did_not_grow_out_of_the_published_one_is_refused_with_both_named(tmp_path):
    publish_log(LOGS[300], tmp_path)
    before = published(tmp_path)
    roots = [open_checkpoint(log["checkpoint"], KEYS).root.hex() for log in (LOGS[300], make_log(600, fork_at=299))]
    for forked, what in ((make_log(600, fork_at=299), "not how ours began"), (LOGS[200], "does not shrink")):
        with pytest.raises(ConflictError, match=what):
            publish_log(forked, tmp_path)
        assert published(tmp_path) == before
    with pytest.raises(ConflictError, match=f"{roots[1]}.*{roots[0]}"):
        publish_log(make_log(600, fork_at=299), tmp_path)
    with pytest.raises(ConflictError):
        publish_log(make_log(300, fork_at=7), tmp_path)


def test_a_ledger_that_is_not_what_it_signs_is_not_published(tmp_path):
    publish_log(LOGS[300], tmp_path)
    before = published(tmp_path)
    for path in ("tile/0/001", "tile/entries/002.p/88", "tile/1/000.p/2"):
        with pytest.raises(MismatchError):
            publish_log(LOGS[600] | {path: flip(LOGS[600][path], 40)}, tmp_path)
        assert (tmp_path / "checkpoint").read_bytes() == before["checkpoint"]
        assert verify_readable(tmp_path) == 300


# --- two at once -----------------------------------------------------------------------------------------------------


def test_an_older_checkpoint_never_replaces_a_newer_one(tmp_path):
    """While one publisher is about to put its checkpoint there, another finishes with more."""
    publish_log(LOGS[3], tmp_path)
    target, newest = FolderTarget(tmp_path), MemorySource(dict(LOGS[300]))
    flush, raced = target.flush, []

    def flush_late():
        flush()
        if not raced:
            raced.append(publish_log(LOGS[600], tmp_path))
            newest.files.update(LOGS[600])  # the second publisher's entries are in the ledger, too

    target.flush = flush_late
    assert publish(newest, target, KEYS).size == 600
    assert raced
    assert verify_readable(tmp_path) == 600


def test_many_publishers_at_once_harm_nobody(tmp_path):
    problems = []

    def work():
        try:
            for size in SIZES:
                try:
                    publish_log(LOGS[size], tmp_path)
                except ConflictError:
                    continue  # somebody had published more already
        except BaseException as error:  # noqa: BLE001
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert verify_readable(tmp_path) == 777


# --- object stores ---------------------------------------------------------------------------------------------------


def test_a_bucket_is_published_to_like_a_folder(s3):
    from wherefrom.tlog.target import open_target

    target = open_target("s3://published/log")
    for size in SIZES:
        assert publish(MemorySource(LOGS[size]), target, KEYS).size == size
    there = {path: s3.cat_file(f"published/log/{path}") for path in LOGS[777]}
    assert there == LOGS[777]
    assert not s3.exists("published/log/tile/0/000.p/1")
    head = s3.call_s3("head_object", Bucket="published", Key="log/tile/0/000")
    assert (head["ContentType"], head["CacheControl"]) == (
        "application/octet-stream",
        "public, max-age=31536000, immutable",
    )
    head = s3.call_s3("head_object", Bucket="published", Key="log/checkpoint")
    assert (head["ContentType"], head["CacheControl"]) == ("text/plain; charset=utf-8", "no-cache")


def test_a_bucket_refuses_a_checkpoint_over_one_that_changed_meanwhile(s3):
    from wherefrom.tlog.target import open_target

    target = open_target("s3://published/race")
    target.swap("checkpoint", b"one", None)
    with pytest.raises(ConflictError, match="changed meanwhile"):
        target.swap("checkpoint", b"two", None)
    with pytest.raises(ConflictError, match="changed meanwhile"):
        target.swap("checkpoint", b"two", b"another")
    target.swap("checkpoint", b"two", b"one")
    assert target.read("checkpoint", max_bytes=10) == b"two"


def test_a_store_that_does_not_answer_is_unavailable(s3):
    from wherefrom.tlog.target import open_target

    with pytest.raises(UnavailableError, match="s3://no-such-bucket/log"):
        publish(MemorySource(LOGS[3]), open_target("s3://no-such-bucket/log"), KEYS)
    with pytest.raises(UnavailableError, match="nosuch"):
        open_target("nosuch://x/y")


@pytest.fixture(scope="module")
def s3():
    s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed: requirements/services.txt has it")
    moto = pytest.importorskip("moto.server", reason="moto is not installed: requirements/services.txt has it")
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        files = s3fs.S3FileSystem()
        files.mkdir("published")  # of a name of its own: what the server holds outlives it in this process
        yield files
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()
