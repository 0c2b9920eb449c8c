"""Checking a whole log: what is right passes, and whatever is wrong is named."""

import json
from base64 import b64decode
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiled_logs import KEY, Unreachable, flip, make_log, sign

from wherefrom.errors import WherefromError
from wherefrom.merkle import EMPTY_ROOT, parse_entries_path, parse_tile_path, root_from_tiles
from wherefrom.notes import open_checkpoint, parse_verifier_key
from wherefrom.tlog.entries import parse_entries
from wherefrom.tlog.fsck import check_log
from wherefrom.tlog.source import FolderSource, MemorySource
from wherefrom.verify import Outcome

TESSERA = json.loads((Path(__file__).parents[2] / "vectors" / "merkle" / "tessera-log-of-15.json").read_text())
THEIR_KEY = parse_verifier_key(TESSERA["vkey"])
THEIR_FILES = {path: b64decode(data) for path, data in TESSERA["files_base64"].items()}
THEIR_FILES["checkpoint"] = TESSERA["checkpoints"]["checkpoint"].encode()

SMALL = make_log(600)
LARGE = make_log(256 * 256 + 300)


def check(files, key=KEY.verifier_key, parallel=1):
    checkpoint = open_checkpoint(files["checkpoint"], [key])
    return check_log(MemorySource(files, parallel=parallel), checkpoint)


def false(found):
    assert found.outcome is Outcome.FALSE
    return [finding.claim for finding in found.findings]


# --- Tessera's log ---------------------------------------------------------------------------------------------------


def test_a_log_that_tessera_made_is_whole_at_each_of_its_sizes():
    assert len(TESSERA["checkpoints"]) == 17
    for note in TESSERA["checkpoints"].values():
        assert check(THEIR_FILES | {"checkpoint": note.encode()}, THEIR_KEY).outcome is Outcome.TRUE


def test_any_byte_changed_of_any_file_of_it_is_refused():
    changed = 0
    for path, data in THEIR_FILES.items():
        for position in range(len(data)):
            files = THEIR_FILES | {path: flip(data, position, position % 8)}
            try:
                found = check(files, THEIR_KEY)
            except WherefromError:
                assert path == "checkpoint"
            else:
                assert path in false(found), (path, position)
            changed += 1
    assert changed == sum(map(len, THEIR_FILES.values())) > 4000


def test_any_file_cut_or_longer_by_a_byte_is_refused():
    for path, data in THEIR_FILES.items():
        for files in (THEIR_FILES | {path: data[:-1]}, THEIR_FILES | {path: data + b"\x00"}):
            try:
                assert check(files, THEIR_KEY).outcome is Outcome.FALSE
            except WherefromError:
                assert path == "checkpoint"


# --- what is named ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 600])
def test_logs_of_all_shapes_are_whole(size):
    assert check(make_log(size)).outcome is Outcome.TRUE
    assert check(make_log(size), parallel=4).outcome is Outcome.TRUE


def test_a_log_of_three_levels_is_whole():
    seen = []
    checkpoint = open_checkpoint(LARGE["checkpoint"], [KEY.verifier_key])
    found = check_log(MemorySource(LARGE), checkpoint, progress=lambda done, total: seen.append((done, total)))
    assert found.outcome is Outcome.TRUE
    assert seen[-1] == (65836, 65836)


@given(st.sampled_from(sorted(set(SMALL) - {"checkpoint"})), st.data())
@settings(max_examples=150, deadline=None)
def test_the_file_that_was_changed_is_named_and_no_other(path, data):
    position = data.draw(st.integers(0, len(SMALL[path]) - 1))
    files = SMALL | {path: flip(SMALL[path], position, data.draw(st.integers(0, 7)))}
    assert false(check(files)) == [path]


def test_the_first_bad_entry_is_named_by_its_index():
    path = "tile/entries/001"
    at = SMALL[path].index(b"entry 300 ")
    [finding] = check(SMALL | {path: flip(SMALL[path], at)}).findings
    assert (finding.claim, finding.message) == (path, "entry 300 is not the one that the tree has there")
    [finding] = check(SMALL | {"tile/0/001": flip(SMALL["tile/0/001"], 32 * 44 + 3)}).findings
    assert (finding.claim, finding.message) == ("tile/0/001", "the hash of entry 300 is not that of the entry")


def test_of_a_tile_and_its_entries_changed_alike_both_are_named():
    other = make_log(600, fork_at=300)
    files = SMALL | {path: other[path] for path in ("tile/0/001", "tile/entries/001")}
    assert false(check(files)) == ["tile/0/001"]
    files = SMALL | {path: other[path] for path in other if path not in {"checkpoint", "tile/1/000.p/2"}}
    claims = false(check(files))
    assert "tile/1/000.p/2" in claims
    assert "root" in claims


def test_a_bad_tile_of_an_upper_level_hides_nothing_below_it():
    files = LARGE | {
        "tile/1/000": flip(LARGE["tile/1/000"], 32 * 7),
        "tile/entries/009": flip(LARGE["tile/entries/009"], 10),
    }
    assert false(check(files)) == ["tile/1/000", "tile/entries/009"]


def test_partial_tiles_of_every_level_are_named():
    for path in ("tile/0/257.p/44", "tile/1/001.p/1", "tile/2/000.p/1"):
        assert false(check(LARGE | {path: flip(LARGE[path], 5)})) == [path]
        assert false(check({k: v for k, v in LARGE.items() if k != path})) == [path]


def test_another_root_than_the_tiles_make_is_said():
    files = SMALL | {"checkpoint": sign(600, bytes(32))}
    [finding] = check(files).findings
    assert finding.claim == "root"
    assert finding.outcome is Outcome.FALSE


# --- missing and extra -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["tile/0/001", "tile/entries/001", "tile/entries/002.p/88", "tile/0/002.p/88"])
def test_a_missing_file_is_named(path):
    files = {k: v for k, v in SMALL.items() if k != path}
    [finding] = check(files).findings
    assert (finding.claim, finding.outcome) == (path, Outcome.FALSE)
    assert "is missing" in finding.message


def test_a_full_tile_stands_in_for_a_partial_one():
    grown = make_log(768)
    files = {"checkpoint": SMALL["checkpoint"]} | {k: v for k, v in grown.items() if k != "checkpoint"}
    files["tile/1/000.p/2"] = SMALL["tile/1/000.p/2"]
    found = check(files)
    assert found.outcome is Outcome.TRUE
    assert any("beyond the checkpoint" in remark for remark in found.remarks)


def test_entries_that_are_not_published_from_the_first_on_could_not_be_checked():
    pruned = {
        k: v for k, v in LARGE.items() if not k.startswith(("tile/entries/000", "tile/0/000", "tile/entries/001"))
    }
    [finding] = check(pruned).findings
    assert finding.outcome is Outcome.UNCHECKED
    assert finding.claim == "entries 0 to 511"
    bad = pruned | {"tile/entries/002": flip(pruned["tile/entries/002"], 3)}
    assert check(bad).outcome is Outcome.FALSE


def test_a_whole_subtree_may_be_pruned_with_its_tile():
    gone = {f"tile/{kind}/{i:03}" for i in range(256) for kind in ("0", "entries")} | {"tile/1/000"}
    [finding] = check({k: v for k, v in LARGE.items() if k not in gone}).findings
    assert (finding.claim, finding.outcome) == ("entries 0 to 65535", Outcome.UNCHECKED)


def test_a_log_that_claims_more_than_anybody_could_read_is_done_with_soon():
    """It has nothing but the tiles at its edge, for a tree of 2**62 + 1 entries."""
    size, nodes = 2**62 + 1, [bytes([level]) * 32 for level in range(2)]
    edges = {"tile/0/x018/x014/x398/x509/x481/984.p/1": nodes[0], "tile/7/000.p/64": nodes[1] * 64}
    root = root_from_tiles(size, lambda level, index, width: (nodes[0] if level == 0 else nodes[1]) * width)
    files = edges | {"checkpoint": sign(size, root)}
    seen = check(files)
    assert seen.outcome is not Outcome.TRUE
    assert any(f"entries 0 to {size - 1}" in finding.claim for finding in seen.findings)
    assert check(files, parallel=4).findings == seen.findings


def test_partial_files_of_older_sizes_are_checked_and_strange_ones_said():
    files = SMALL | {"tile/0/002.p/4": SMALL["tile/0/002.p/88"][:128], "tile/0/0002": b"", "tile/0/009": b"x"}
    found = check(files)
    assert found.outcome is Outcome.TRUE
    assert [remark for remark in found.remarks if "tile/0/0002" in remark]
    assert [remark for remark in found.remarks if "tile/0/009" in remark]
    assert false(check(files | {"tile/0/002.p/4": SMALL["tile/0/002.p/88"][32:160]})) == ["tile/0/002.p/4"]
    assert false(check(files | {"tile/entries/001.p/1": b"\x00\x01x"})) == ["tile/entries/001.p/1"]


def test_a_log_that_does_not_answer_could_not_be_checked():
    checkpoint = open_checkpoint(SMALL["checkpoint"], [KEY.verifier_key])
    for files in ({}, {k: v for k, v in SMALL.items() if k != "tile/entries/001"}):
        assert check_log(Unreachable(files), checkpoint).outcome is Outcome.UNCHECKED


def test_a_folder_is_checked_like_any_log(tmp_path):
    for path, data in SMALL.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    checkpoint = open_checkpoint(SMALL["checkpoint"], [KEY.verifier_key])
    assert check_log(FolderSource(tmp_path), checkpoint).outcome is Outcome.TRUE
    (tmp_path / "tile/entries/001").unlink()
    assert false(check_log(FolderSource(tmp_path), checkpoint)) == ["tile/entries/001"]


def test_the_paths_of_a_log_are_what_this_test_thinks():
    assert open_checkpoint(make_log(0)["checkpoint"], [KEY.verifier_key]).root == EMPTY_ROOT
    assert {parse_tile_path(p)[0] for p in LARGE if p.startswith("tile/") and "entries" not in p} == {0, 1, 2}
    assert len(parse_entries(SMALL["tile/entries/002.p/88"])) == parse_entries_path("tile/entries/002.p/88")[1]
