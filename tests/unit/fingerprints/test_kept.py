import bisect
import hashlib
import os
import signal
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from wherefrom import merkle
from wherefrom.commitments import KeyCommitment, RecordsFingerprint
from wherefrom.errors import FormatError, NotFoundError, UnavailableError
from wherefrom.fingerprints import commit_keys, fingerprint_records, fingerprint_with_keys, keeping
from wherefrom.fingerprints.kept import KeptTree, KeptTrees
from wherefrom.merkle import prove_inclusion_from_tiles, root_from_tiles, verify_inclusion

ROWS = 70_000
TABLE = pa.table({"id": range(ROWS), "group": [index % 1_000 for index in range(ROWS)]})


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    trees = KeptTrees(tmp_path_factory.mktemp("leaves"))
    fingerprint, (commitment,) = fingerprint_with_keys(TABLE, keys=[["group"]], keep=trees)
    return trees, fingerprint, commitment


def test_a_kept_tree_is_the_tree(kept):
    trees, fingerprint, commitment = kept
    assert list(trees) == [commitment, fingerprint]
    for identity, size in ((fingerprint, ROWS), (commitment, 1_000)):
        with trees.open(identity) as tree:
            assert tree.identity == identity
            assert tree.size == size
            assert tree.is_sorted
            hashes = [tree.leaf(index) for index in range(size)]
            assert hashes == sorted(hashes)
            assert merkle.root_of(hashes) == identity.root == root_from_tiles(size, tree.read_tile)
            for index in (0, 1, 255, 256, size // 2, size - 1):
                proof = prove_inclusion_from_tiles(index, size, tree.read_tile)
                verify_inclusion(hashes[index], index=index, size=size, proof=proof, root=identity.root)


def test_levels_are_files_and_the_identity_is_canonical(kept):
    trees, fingerprint, _ = kept
    folder = trees.path_of(fingerprint)
    assert folder.name == f"wf-records-1-{fingerprint.id}"
    assert {path.name: path.stat().st_size for path in folder.iterdir() if path.name.isdecimal()} == {
        "0": ROWS * 32,
        "1": ROWS // 256 * 32,
        "2": ROWS // 256 // 256 * 32,
    }
    assert hashlib.sha256((folder / "identity.json").read_bytes()).hexdigest() == fingerprint.id


def test_leaves_are_found_by_their_hash_and_absent_ones_have_their_place(kept):
    trees, fingerprint, commitment = kept
    for identity in (fingerprint, commitment):
        with trees.open(str(identity)) as tree:
            hashes = [tree.leaf(index) for index in range(tree.size)]
            for index in (*range(0, tree.size, 97), tree.size - 1):
                assert tree.find(hashes[index]) == (index, True)
            others = [bytes(32), b"\xff" * 32, *(hashlib.sha256(bytes([index])).digest() for index in range(200))]
            for other in others:
                assert tree.find(other) == (bisect.bisect_left(hashes, other), False)
            with pytest.raises(FormatError, match="leaf hash has 31 bytes, expected 32"):
                tree.find(bytes(31))


def test_repeated_leaves_are_found_at_the_first_of_them(tmp_path):
    table = pa.table({"a": [*range(1_000), *[7] * 5_000, *[8] * 3_000]})
    trees = KeptTrees(tmp_path)
    with trees.open(fingerprint_records(table, keep=trees)) as tree:
        hashes = [tree.leaf(index) for index in range(tree.size)]
        for wanted in sorted(set(hashes)):
            assert tree.find(wanted) == (hashes.index(wanted), True)


def test_a_tree_in_sequence_keeps_the_order_of_rows_and_finds_nothing(tmp_path):
    trees = KeptTrees(tmp_path)
    table = pa.table({"a": range(300)})
    with trees.open(fingerprint_records(table, order="sequence", keep=trees)) as tree:
        row = b"\x02" + (5).to_bytes(8)
        assert tree.leaf(5) == merkle.hash_leaf(row)
        assert not tree.is_sorted
        with pytest.raises(FormatError, match="in the order of rows"):
            tree.find(tree.leaf(5))


@pytest.mark.parametrize("rows", [0, 1, 256])
def test_small_trees_are_kept_too(rows, tmp_path):
    trees = KeptTrees(tmp_path)
    fingerprint = fingerprint_records(pa.table({"a": pa.array(range(rows), pa.int64())}), keep=str(tmp_path))
    with trees.open(fingerprint) as tree:
        assert tree.size == rows
        assert root_from_tiles(rows, tree.read_tile) == fingerprint.root
        assert tree.find(b"\xff" * 32) == (rows, False)
        with pytest.raises(FormatError, match=rf"no leaf {rows}: its size is {rows}"):
            tree.leaf(rows)


@pytest.mark.parametrize(
    ("level", "index", "width"), [(0, 0, 0), (0, 0, 257), (0, 274, 1), (0, -1, 1), (1, 1, 18), (3, 0, 1), (-1, 0, 1)]
)
def test_a_tile_outside_the_tree_is_refused(kept, level, index, width):
    trees, fingerprint, _ = kept
    with (
        trees.open(fingerprint) as tree,
        pytest.raises(FormatError, match=f"no tile {index} of width {width} on level"),
    ):
        tree.read_tile(level, index, width)


@pytest.fixture
def folder(tmp_path):
    return KeptTrees(tmp_path).path_of(fingerprint_records(TABLE.slice(0, 1_000), keep=tmp_path))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: os.truncate(folder / "0", 31_999), r"0' has 31999 bytes, expected 32000 for 1000 hashes"),
        (lambda folder: os.truncate(folder / "1", 128), r"1' has 128 bytes, expected 96 for 3 hashes"),
        (lambda folder: (folder / "1").unlink(), r"1' is missing, expected 3 hashes"),
        (lambda folder: (folder / "identity.json").write_text("{"), "identity.json': not JSON at byte 1"),
        (
            lambda folder: (folder / "identity.json").write_text("[]"),
            "has the type None, expected wf-records-1 or wf-keys",
        ),
        (
            lambda folder: (folder / "identity.json").write_text('{"type":"wf-keys-1"}'),
            "identity.json': wf-keys-1: column",
        ),
    ],
)
def test_a_damaged_tree_is_refused_naming_the_file(folder, damage, message):
    damage(folder)
    with pytest.raises(FormatError, match=message):
        KeptTree(folder)


def test_the_identity_of_another_tree_is_refused(folder):
    other = fingerprint_records(TABLE.slice(1_000, 1_000), keep=folder.parent)
    trees = KeptTrees(folder.parent)
    (trees.path_of(other) / "identity.json").replace(folder / "identity.json")
    with pytest.raises(FormatError, match=rf"is the identity of {other}, expected that of {folder.name[:12]}"):
        trees.open(folder.name.replace("wf-records-1-", "wf-records-1:"))


def test_what_is_not_kept_is_not_found_and_a_name_that_is_none_is_refused(tmp_path):
    trees = KeptTrees(tmp_path / "leaves")
    assert list(trees) == []
    missing = f"wf-keys-1:{'0' * 64}"
    assert missing not in trees
    for ask in (trees.open, trees.remove):
        with pytest.raises(NotFoundError, match=f"the leaves of {missing} are not kept in"):
            ask(missing)
    for wrong in ("wf-files-1:" + "0" * 64, "wf-keys-1:../x", "0" * 64, "wf-keys-1:" + "0" * 63 + "G"):
        with pytest.raises(FormatError, match="names no tree"):
            trees.open(wrong)


def test_a_removed_tree_is_gone_and_the_others_stay(folder):
    trees = KeptTrees(folder.parent)
    other = fingerprint_records(TABLE.slice(1_000, 1_000), keep=trees)
    trees.remove(folder.name.replace("wf-records-1-", "wf-records-1:"))
    assert list(trees) == [other]
    assert not folder.exists()


def test_a_tree_that_is_there_already_is_left_as_it_is(folder):
    before = (folder / "0").stat().st_ino
    fingerprint_records(TABLE.slice(0, 1_000), keep=folder.parent)
    assert (folder / "0").stat().st_ino == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_tree_half_removed_is_made_again(folder):
    (folder / "identity.json").unlink()
    fingerprint = fingerprint_records(TABLE.slice(0, 1_000), keep=folder.parent)
    assert list(KeptTrees(folder.parent)) == [fingerprint]


def test_a_tree_that_is_too_large_is_not_kept(tmp_path):
    for source in (TABLE.slice(0, 1_000), TABLE.slice(0, 1_000).to_reader()):
        fingerprint, (commitment,) = fingerprint_with_keys(source, keys=[["group"]], keep=tmp_path, keep_at_most=31_999)
        assert (fingerprint.rows, commitment.keys) == (1_000, 1_000)
        assert not list(tmp_path.iterdir())
    commitment = commit_keys(pa.table({"a": [1] * 1_000}), columns=["a"], keep=tmp_path, keep_at_most=31_999)
    assert list(KeptTrees(tmp_path)) == [commitment]
    fingerprint = fingerprint_records(TABLE.slice(0, 1_000), keep=tmp_path, keep_at_most=32_000)
    assert fingerprint in KeptTrees(tmp_path)


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UnavailableError, match=r"can't keep leaves in '.*file/leaves'"):
        fingerprint_records(TABLE, keep=tmp_path / "file" / "leaves")


def test_reading_needs_the_standard_library_alone(folder):
    program = (
        "import sys; from wherefrom.fingerprints.kept import KeptTree\n"
        f"with KeptTree({str(folder)!r}) as tree: print(tree.find(tree.leaf(7)))\n"
        "print([name for name in ('numpy', 'pyarrow', 'pandas', 'datafusion', 'rfc8785') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.split("\n")[:2] == ["(7, True)", "[]"]


def test_an_interrupted_run_keeps_nothing(tmp_path):
    def interrupt(done, total):
        if done > 30_000:
            raise KeyboardInterrupt

    for memory_bytes in (0, 2**30):
        with pytest.raises(KeyboardInterrupt):
            fingerprint_records(TABLE.to_reader(1_000), keep=tmp_path, memory_bytes=memory_bytes, progress=interrupt)
        assert not list(tmp_path.iterdir())


KILLED = """
import sys, time
import numpy as np, pyarrow as pa
from wherefrom.fingerprints import fingerprint_records, leaves, keeping, tree
leaves.RUN_LEAVES = 1_000
tree._BLOCK_LEAVES = 256

def stop(done, total):
    if {when}:
        print("ready", flush=True)
        time.sleep(60)

def publish(self, identity, **beside):
    self._trees.path_of  # still there
    stop(-1, -1)

if {in_publish}:
    keeping.TreeWriter.publish = publish
fingerprint_records(pa.table({{"a": range(20_000)}}), memory_bytes=64_000, keep=sys.argv[1], progress=stop)
"""


@pytest.mark.parametrize(
    ("when", "in_publish"),
    [("total and done > 1_000", False), ("done == total", False), ("done == -1", True)],
    ids=["while rows are read", "while leaves are sorted", "before it is published"],
)
def test_a_killed_run_keeps_nothing_and_the_next_one_clears_up(tmp_path, when, in_publish):
    program = KILLED.format(when=when, in_publish=in_publish)
    kept, temporary = tmp_path / "kept", tmp_path / "temporary"
    temporary.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", program, str(kept)],
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(temporary)},
    ) as child:
        assert child.stdout.readline() == b"ready\n"
        # Who works at the same time removes nothing of it.
        other = fingerprint_records(pa.table({"a": [1]}), keep=kept)
        building = [path for path in kept.iterdir() if path.name.startswith(".building-")]
        assert len(building) == 1
        child.send_signal(signal.SIGKILL)
    assert list(KeptTrees(kept)) == [other]
    assert not list(temporary.iterdir())
    after = fingerprint_records(pa.table({"a": [2]}), keep=kept)
    assert sorted(path.name for path in kept.iterdir()) == sorted(
        KeptTrees(kept).path_of(tree).name for tree in (other, after)
    )


def test_of_two_at_once_the_second_leaves_what_the_first_published(tmp_path):
    trees = KeptTrees(tmp_path)
    hashes = np.zeros((1, 32), np.uint8)
    identity = fingerprint_records(pa.table({"a": [1]}))
    with keeping.Building(trees) as one, keeping.Building(trees) as two:
        writers = [one.open_writer(), two.open_writer()]
        for writer in writers:
            writer.write(0, hashes)
        assert [writer.publish(identity) for writer in writers] == [True, False]
    assert [path.name for path in tmp_path.iterdir()] == [trees.path_of(identity).name]


def test_what_was_left_while_it_was_removed_is_cleared_up_too(tmp_path):
    left = tmp_path / ".building-0" / "0"
    left.mkdir(parents=True)
    (left / "1").write_bytes(bytes(32))  # the lock was removed before it
    fingerprint = fingerprint_records(pa.table({"a": [1]}), keep=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [KeptTrees(tmp_path).path_of(fingerprint).name]


def test_many_at_once_do_not_disturb_one_another(tmp_path):
    program = (
        "import sys, pyarrow as pa\nfrom wherefrom.fingerprints import fingerprint_records\n"
        "for value in range(20): fingerprint_records(pa.table({'a': [value]}), keep=sys.argv[1])"
    )
    children = [subprocess.Popen([sys.executable, "-W", "error", "-c", program, str(tmp_path)]) for _ in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]
    assert len(list(KeptTrees(tmp_path))) == len(list(tmp_path.iterdir())) == 20


def test_both_kinds_of_identity_are_kept_in_one_folder(kept):
    trees, fingerprint, commitment = kept
    assert {type(tree) for tree in trees} == {RecordsFingerprint, KeyCommitment}
    assert commitment.records == fingerprint.id
