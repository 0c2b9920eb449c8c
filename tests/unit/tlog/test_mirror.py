"""Mirrors: what is copied was verified first; a log that goes back or forks is refused, with evidence if it forked."""

import os

import pytest
from tiled_logs import KEY, Unreachable, flip, make_log, sign

from wherefrom.errors import ConflictError, FormatError, MismatchError, SignatureError, UnavailableError
from wherefrom.notes import SigningKey, TrustedLog, TrustPolicy, open_checkpoint
from wherefrom.tlog.fsck import check_log
from wherefrom.tlog.mirror import Mirror, RolledBackError
from wherefrom.tlog.source import FolderSource, MemorySource
from wherefrom.tlog.split_view import SplitViewError, verify_split_view
from wherefrom.verify import Outcome

POLICY = TrustPolicy((TrustedLog(KEY.verifier_key),))


def by_key(note):
    return open_checkpoint(note, [KEY.verifier_key])


def update(mirror, files, **options):
    return mirror.update(MemorySource(files, **options), by_key)


def files_of(mirror):
    return {path: (mirror.folder / path).read_bytes() for path in FolderSource(mirror.folder).iter_paths()}


@pytest.mark.parametrize("parallel", [1, 4])
def test_a_mirror_grows_with_the_log_and_keeps_every_checkpoint(tmp_path, parallel):
    mirror = Mirror(tmp_path)
    for size in (0, 1, 200, 300, 600, 777):
        done = update(mirror, make_log(size), parallel=parallel)
        assert done.size == size
        checkpoint = by_key(mirror.read_checkpoint())
        assert check_log(mirror.source, checkpoint).outcome is Outcome.TRUE
    there = files_of(mirror)
    assert make_log(777).items() <= there.items()
    assert [there[f"checkpoints/{size}"] for size in (200, 600)] == [make_log(s)["checkpoint"] for s in (200, 600)]
    assert update(mirror, make_log(777)).files == 0


def test_what_is_not_as_the_checkpoint_has_it_is_not_copied(tmp_path):
    log = make_log(600)
    for path in sorted(set(log) - {"checkpoint"}):
        for position in (0, len(log[path]) - 1):
            mirror = Mirror(tmp_path / path / str(position))
            with pytest.raises((MismatchError, UnavailableError, FormatError)):
                update(mirror, log | {path: flip(log[path], position)})
            assert mirror.read_checkpoint() is None
            copied = {path: data for path, data in files_of(mirror).items() if path.startswith("tile/")}
            assert copied.items() <= log.items()


def test_a_mirror_resumes_without_asking_again_for_what_it_has(tmp_path):
    mirror, log = Mirror(tmp_path), make_log(777)
    half = {path: data for path, data in log.items() if path not in {"tile/entries/002", "tile/entries/003.p/9"}}
    with pytest.raises(UnavailableError):
        mirror.update(Unreachable(half), by_key)
    assert mirror.read_checkpoint() is None
    rest = {path: data for path, data in log.items() if path not in {"tile/entries/000", "tile/entries/001"}}
    mirror.update(Unreachable(rest), by_key)
    assert log.items() <= files_of(mirror).items()


def test_what_rotted_here_meanwhile_is_copied_again(tmp_path):
    mirror, log = Mirror(tmp_path), make_log(777)
    half = {path: data for path, data in log.items() if path not in {"tile/entries/002", "tile/entries/003.p/9"}}
    with pytest.raises(UnavailableError):
        mirror.update(Unreachable(half), by_key)
    rotten = tmp_path / "tile" / "entries" / "001"
    rotten.write_bytes(flip(rotten.read_bytes(), 20))
    update(mirror, log)
    assert log.items() <= files_of(mirror).items()


@pytest.mark.parametrize("fail_at", range(1, 40, 3))
def test_a_mirror_killed_anywhere_stays_whole_and_resumes(tmp_path, monkeypatch, fail_at):
    mirror, new = Mirror(tmp_path), make_log(600)
    update(mirror, make_log(200))
    real, count = os.fsync, 0

    class Killed(BaseException):
        pass

    def fsync(number):
        nonlocal count
        count += 1
        if count == fail_at:
            raise Killed
        real(number)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        try:
            update(mirror, new)
        except Killed:
            checkpoint = by_key(mirror.read_checkpoint())
            assert checkpoint.size in {200, 600}
            assert check_log(mirror.source, checkpoint).outcome is Outcome.TRUE
    update(mirror, new)
    assert new.items() <= files_of(mirror).items()


def test_a_log_that_went_back_is_refused(tmp_path):
    mirror = Mirror(tmp_path)
    update(mirror, make_log(600))
    before = files_of(mirror)
    for size in (0, 1, 256, 599):
        with pytest.raises(RolledBackError, match="it went back"):
            update(mirror, make_log(size))
        assert files_of(mirror) == before
    assert update(mirror, make_log(601)).size == 601


@pytest.mark.parametrize(
    ("size", "fork_at"), [(600, 599), (600, 0), (300, 5), (512, 511), (1, 0), (777, 599), (777, 3)]
)
def test_a_log_with_two_histories_is_refused_with_evidence_that_anybody_can_check(tmp_path, size, fork_at):
    mirror = Mirror(tmp_path)
    update(mirror, make_log(600))
    before = files_of(mirror)
    with pytest.raises(SplitViewError) as caught:
        update(mirror, make_log(size, fork_at=fork_at))
    assert files_of(mirror) == before
    assert verify_split_view(caught.value.evidence, POLICY).outcome is Outcome.TRUE


def test_a_fork_behind_what_was_seen_is_no_split(tmp_path):
    mirror = Mirror(tmp_path)
    update(mirror, make_log(600))
    assert update(mirror, make_log(777, fork_at=600)).size == 777


def test_a_checkpoint_seen_before_its_tree_could_be_copied_counts(tmp_path):
    """Else a log could show a history, fail, and show another."""
    mirror = Mirror(tmp_path)
    with pytest.raises(UnavailableError):
        edges = {path: data for path, data in make_log(600).items() if ".p/" in path or path == "checkpoint"}
        mirror.update(Unreachable(edges), by_key)
    with pytest.raises(SplitViewError):
        update(mirror, make_log(600, fork_at=3))


def test_another_log_or_signature_is_refused(tmp_path):
    mirror, other = Mirror(tmp_path), SigningKey("example.com/other", bytes(32))
    update(mirror, make_log(5))
    with pytest.raises(SignatureError):
        update(mirror, make_log(6, key=other))
    with pytest.raises(ConflictError, match=r"mirrors log example\.com/tiled"):
        mirror.update(MemorySource(make_log(6, key=other)), lambda note: open_checkpoint(note, [other.verifier_key]))


def test_a_log_that_was_pruned_is_mirrored_from_where_it_begins(tmp_path):
    log = make_log(777)
    pruned = {path: data for path, data in log.items() if path != "tile/entries/000"}
    mirror = Mirror(tmp_path)
    update(mirror, pruned)
    assert pruned.items() <= files_of(mirror).items()
    assert mirror.read_entries(0, 777) == []
    with pytest.raises(UnavailableError, match="entries/001 is not there"):
        update(Mirror(tmp_path / "b"), {path: data for path, data in log.items() if path != "tile/entries/001"})


def test_a_signed_root_that_the_tiles_do_not_make_is_refused(tmp_path):
    with pytest.raises(MismatchError, match="make root"):
        update(Mirror(tmp_path), make_log(600) | {"checkpoint": sign(600, bytes(32))})
