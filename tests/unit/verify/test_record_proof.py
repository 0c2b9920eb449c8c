"""Proofs about single records: what is true passes, and the forger gets nothing through."""

import dataclasses

import pytest
from kept_trees import keep, keep_keys, leaves_of, number_rows

from wherefrom.commitments import Secret
from wherefrom.commitments.proof import Claim, Proof, format_proof, parse_proof
from wherefrom.commitments.values import leaf_of, row_bytes
from wherefrom.errors import FormatError, MismatchError, UnavailableError
from wherefrom.fingerprints import FileEntry, prove_files, prove_part, prove_rows
from wherefrom.merkle import prove_leaves, root_of
from wherefrom.verify import Outcome, Verdict, verify_proof

NUMBERS = range(0, 1000, 2)
SECRET, OTHER_SECRET = Secret(b"s" * 32), Secret(b"t" * 32)


def tree_of(folder, numbers=NUMBERS, **options):
    secret = options.get("secret")
    return keep(folder, sorted(leaves_of(number_rows(*numbers), secret=secret)), **options)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    with tree_of(tmp_path_factory.mktemp("trees") / "even") as tree:
        yield tree


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    with tree_of(tmp_path_factory.mktemp("trees") / "private", secret=SECRET) as tree:
        yield tree


def verdict_on(proof, **options):
    return verify_proof(format_proof(proof) if isinstance(proof, Proof) else proof, **options)


def problems(verdict):
    return " | ".join(f.message for f in verdict.findings if f.outcome is not Outcome.TRUE)


def assert_refused(proof, message, *, outcome=Outcome.FALSE, **options):
    verdict = verdict_on(proof, **options)
    assert verdict.outcome is outcome, verdict.findings
    assert message in problems(verdict)


def test_rows_that_are_there_and_rows_that_are_not_are_proved_together(tree):
    proof = prove_rows(tree, number_rows(4, 5, 6, 7, 4))
    assert sorted((claim.kind, claim.row["number"]) for claim in proof.claims) == [
        ("absent", 5),
        ("absent", 7),
        ("present", 4),
        ("present", 6),
    ]
    verdict = verdict_on(proof, expected=str(tree.identity))
    assert verdict.outcome is Outcome.TRUE
    assert verdict.about == tree.identity
    again = parse_proof(format_proof(proof))
    assert again == dataclasses.replace(proof, claims=again.claims)


def test_a_row_is_absent_before_the_first_leaf_behind_the_last_and_from_the_empty_tree(tmp_path):
    row = number_rows(1)
    [leaf] = leaves_of(row)
    lower, higher = bytes(32), b"\xff" * 32
    for name, leaves, index in (("first", [higher], 0), ("last", [lower], 1), ("none", [], 0)):
        with keep(tmp_path / name, leaves) as tree:
            proof = prove_rows(tree, row)
            assert [(claim.kind, claim.index) for claim in proof.claims] == [("absent", index)]
            assert verdict_on(proof).outcome is Outcome.TRUE
    with keep(tmp_path / "it", [leaf]) as tree:
        assert prove_rows(tree, row).claims[0].kind == "present"


def test_each_hash_and_each_leaf_counts(tree):
    for rows in (number_rows(8), number_rows(9), number_rows(8, 9, 500, 501)):
        proof = prove_rows(tree, rows)
        assert verdict_on(proof).outcome is Outcome.TRUE
        for position, value in enumerate(proof.hashes):
            flipped = bytes([value[0] ^ 1]) + value[1:]
            hashes = (*proof.hashes[:position], flipped, *proof.hashes[position + 1 :])
            assert_refused(dataclasses.replace(proof, hashes=hashes), "leads to root")
        for index, value in proof.leaves.items():
            leaves = {**proof.leaves, index: value[:-1] + bytes([value[-1] ^ 1])}
            assert_refused(dataclasses.replace(proof, leaves=leaves), "leads to root")
        assert_refused(dataclasses.replace(proof, hashes=proof.hashes[:-1]), "expected")
        assert_refused(dataclasses.replace(proof, hashes=(*proof.hashes, bytes(32))), "expected")


def test_another_value_index_or_set_is_refused(tree, tmp_path):
    proof = prove_rows(tree, number_rows(8))
    [claim] = proof.claims
    other = dataclasses.replace(claim, row={"name": "row 8", "number": 9})
    assert_refused(dataclasses.replace(proof, claims=(other,)), "leads to root")
    moved = dataclasses.replace(claim, index=claim.index ^ 1)
    assert_refused(dataclasses.replace(proof, claims=(moved,)), "leads to root")
    with tree_of(tmp_path / "odd", range(1, 1000, 2)) as odd:
        assert_refused(dataclasses.replace(proof, about=odd.identity), "leads to root")
        assert_refused(proof, f"expected {odd.identity}", expected=str(odd.identity))
    larger = dataclasses.replace(tree.identity, rows=tree.size + 1)
    assert_refused(dataclasses.replace(proof, about=larger), "expected", expected=str(tree.identity))


class TestForgedAbsence:
    """The forger holds the tree, and wants a row that is in it proved absent."""

    ROW = number_rows(8)

    @pytest.fixture
    def index(self, tree):
        return tree.find(leaves_of(self.ROW)[0])[0]

    def forge(self, tree, index, leaves, hashes):
        return Proof(tree.identity, (Claim("absent", index, self.ROW[0]),), None, leaves, tuple(hashes))

    def proof_of(self, tree, shown):
        return prove_leaves([tree.leaf(i) for i in range(tree.size)], shown)

    def test_neighbours_that_are_not_adjacent(self, tree, index):
        shown = {i: tree.leaf(i) for i in (index - 1, index + 1)}
        hashes = self.proof_of(tree, shown)
        for place in (index, index + 1):
            assert verdict_on(self.forge(tree, place, shown, hashes)).outcome is not Outcome.TRUE
        relabelled = {index: tree.leaf(index - 1), index + 1: tree.leaf(index + 1)}
        assert_refused(self.forge(tree, index + 1, relabelled, self.proof_of(tree, relabelled)), "leads to root")

    def test_the_leaf_itself_as_a_neighbour(self, tree, index):
        for place in (index, index + 1):
            shown = {i: tree.leaf(i) for i in (place - 1, place)}
            assert_refused(self.forge(tree, place, shown, self.proof_of(tree, shown)), "the row is in the set")

    def test_neighbours_elsewhere(self, tree, index):
        place = (index + 20) % tree.size
        shown = {i: tree.leaf(i) for i in (place - 1, place) if i >= 0}
        assert_refused(self.forge(tree, place, shown, self.proof_of(tree, shown)), "does not lie between")

    def test_one_neighbour_or_none(self, tree, index):
        shown = {index - 1: tree.leaf(index - 1)}
        claim = self.forge(tree, index, shown, self.proof_of(tree, shown))
        assert_refused(claim, "is not shown", outcome=Outcome.UNCHECKED)
        assert_refused(self.forge(tree, index, {}, [tree.identity.root]), "is not shown", outcome=Outcome.UNCHECKED)

    def test_the_edge_of_a_smaller_tree(self, tree, index):
        """A wrong size would make any leaf the last one; the size is part of the id."""
        leaves = [tree.leaf(i) for i in range(index)]
        smaller = dataclasses.replace(tree.identity, rows=index, root=root_of(leaves))
        proof = Proof(
            smaller,
            (Claim("absent", index, self.ROW[0]),),
            None,
            {index - 1: leaves[-1]},
            tuple(prove_leaves(leaves, [index - 1])),
        )
        assert_refused(proof, f"expected {tree.identity}", expected=str(tree.identity))
        kept_root = dataclasses.replace(proof, about=dataclasses.replace(smaller, root=tree.identity.root))
        assert_refused(kept_root, "leads to root")

    def test_an_index_behind_the_end(self, tree):
        for index in (tree.size + 1, tree.size + 5, 2**52):
            shown = {i: tree.leaf(i) for i in (tree.size - 1,)}
            proof = self.forge(tree, index, shown, self.proof_of(tree, shown))
            assert verdict_on(proof).outcome is not Outcome.TRUE

    def test_leaves_that_are_not_in_order(self, tree, index, tmp_path):
        """Two leaves swapped: their neighbours no longer enclose the row, whatever is shown."""
        leaves = [tree.leaf(i) for i in range(tree.size)]
        leaves[index], leaves[-1] = leaves[-1], leaves[index]
        with keep(tmp_path / "swapped", leaves) as swapped:
            shown = {i: leaves[i] for i in (index - 1, index)}
            forged = Proof(
                swapped.identity,
                (Claim("absent", index, self.ROW[0]),),
                None,
                shown,
                tuple(prove_leaves(leaves, shown)),
            )
            assert_refused(forged, f"expected {tree.identity}", expected=str(tree.identity))

    def test_the_proof_of_another_tree(self, tree, index, tmp_path):
        with tree_of(tmp_path / "odd", range(1, 1000, 2)) as odd:
            proof = prove_rows(odd, self.ROW)
            assert verdict_on(proof).outcome is Outcome.TRUE
            assert_refused(proof, f"expected {tree.identity}", expected=str(tree.identity))
            assert_refused(dataclasses.replace(proof, about=tree.identity), "")

    def test_a_set_in_sequence_order_proves_no_absence(self, tmp_path):
        leaves = leaves_of(number_rows(1, 2, 3))
        with keep(tmp_path / "sequence", leaves, order="sequence") as sequence:
            assert [sequence.search(leaf) for leaf in leaves] == [0, 1, 2]
            assert sequence.search(leaves[0][1:] + leaves[1][:1]) is None
            assert verdict_on(prove_rows(sequence, number_rows(3))).outcome is Outcome.TRUE
            with pytest.raises(FormatError, match="not in the set, and nothing proves that"):
                prove_rows(sequence, number_rows(4))
            shown = {0: leaves[0]}
            forged = Proof(
                sequence.identity,
                (Claim("absent", 0, number_rows(4)[0]),),
                None,
                shown,
                tuple(prove_leaves(leaves, shown)),
            )
            assert_refused(forged, "not sorted", outcome=Outcome.UNCHECKED)


class TestPrivateSets:
    def test_membership_needs_no_secret_and_shows_one_salt(self, private):
        proof = prove_rows(private, number_rows(8), secret=SECRET)
        assert len(proof.claims) == 1
        assert verdict_on(proof).outcome is Outcome.TRUE
        wrong = dataclasses.replace(proof.claims[0], salt=bytes(32))
        assert_refused(dataclasses.replace(proof, claims=(wrong,)), "leads to root")

    def test_absence_is_true_for_who_holds_the_secret_and_unchecked_for_others(self, private):
        proof = prove_rows(private, number_rows(9), secret=SECRET)
        assert_refused(proof, "by who holds the secret", outcome=Outcome.UNCHECKED)
        assert verdict_on(proof, secret=SECRET).outcome is Outcome.TRUE
        assert_refused(proof, "not the one of the set", secret=OTHER_SECRET, outcome=Outcome.UNCHECKED)

    def test_a_wrong_salt_does_not_make_a_row_absent(self, private):
        """The forger's way around a row that is there: any other salt gives a leaf that is not."""
        [row] = number_rows(8)
        other = OTHER_SECRET.salt_of(b"anything", b"\0")
        leaf = leaf_of(row_bytes(row, private.identity), salt=other)
        index, _ = private.find(leaf)
        shown = {i: private.leaf(i) for i in (index - 1, index) if 0 <= i < private.size}
        hashes = tuple(prove_leaves([private.leaf(i) for i in range(private.size)], shown))
        forged = Proof(private.identity, (Claim("absent", index, row, other),), None, shown, hashes)
        assert_refused(forged, "by who holds the secret", outcome=Outcome.UNCHECKED)
        assert_refused(forged, "not the one that the secret gives", secret=SECRET)

    def test_a_proof_needs_the_secret_that_the_set_was_made_with(self, private, tree):
        with pytest.raises(UnavailableError, match="needs the secret"):
            prove_rows(private, number_rows(8))
        with pytest.raises(MismatchError, match="not the one that the fingerprint was made with"):
            prove_rows(private, number_rows(8), secret=OTHER_SECRET)
        with pytest.raises(MismatchError, match="without a secret"):
            prove_rows(tree, number_rows(8), secret=SECRET)

    def test_keys_have_other_salts_than_rows(self, private, tmp_path):
        leaves = leaves_of(number_rows(8), secret=SECRET, is_keys=True)
        assert leaves != leaves_of(number_rows(8), secret=SECRET)
        with keep_keys(tmp_path / "keys", leaves, secret=SECRET) as keys:
            proof = prove_rows(keys, number_rows(8, 9), secret=SECRET)
            assert verdict_on(proof, secret=SECRET).outcome is Outcome.TRUE


class TestParts:
    def test_every_row_of_a_part_is_in_the_set_as_often(self, tmp_path):
        with tree_of(tmp_path / "set", [1, 2, 2, 2, 3, 4, 5]) as tree:
            for name, numbers in (("all", [1, 2, 2, 2, 3, 4, 5]), ("two", [2, 2]), ("one", [5])):
                with tree_of(tmp_path / name, numbers) as part:
                    proof = prove_part(tree, part)
                    verdict = verdict_on(proof)
                    assert verdict.outcome is Outcome.TRUE
                    assert verdict.part == part.identity
            with tree_of(tmp_path / "more", [2, 2, 2, 2]) as part, pytest.raises(MismatchError, match="not as often"):
                prove_part(tree, part)
            with tree_of(tmp_path / "other", [1, 6]) as part, pytest.raises(MismatchError, match="not in the set"):
                prove_part(tree, part)

    def test_a_part_with_other_leaves_rows_or_order_is_refused(self, tree, tmp_path):
        with tree_of(tmp_path / "part", [2, 4, 6]) as part, tree_of(tmp_path / "other", [2, 4, 8]) as other:
            proof = prove_part(tree, part)
            assert_refused(dataclasses.replace(proof, part=other.identity), "not those of the part")
            fewer = dataclasses.replace(part.identity, rows=2)
            assert_refused(dataclasses.replace(proof, part=fewer), "not those of the part")
            sequence = dataclasses.replace(part.identity, order="sequence")
            assert_refused(dataclasses.replace(proof, part=sequence), "sorted", outcome=Outcome.UNCHECKED)
            salted = dataclasses.replace(part.identity, salt=SECRET.scheme)
            assert_refused(dataclasses.replace(proof, part=salted), "different secrets", outcome=Outcome.UNCHECKED)
            first = min(proof.leaves)
            without = {index: leaf for index, leaf in proof.leaves.items() if index != first}
            assert_refused(dataclasses.replace(proof, leaves=without), "")


def test_a_tree_that_was_changed_on_disk_gives_no_proof(tmp_path):
    tree = tree_of(tmp_path / "tree")
    path = tmp_path / "tree" / "0"
    data = bytearray(path.read_bytes())
    index, _ = tree.find(leaves_of(number_rows(8))[0])
    data[32 * (index ^ 1)] ^= 1
    path.write_bytes(data)
    with tree, pytest.raises(UnavailableError, match="not those of wf-records-1:"):
        prove_rows(tree, number_rows(8))


def test_the_evidence_must_name_the_set(tree, tmp_path):
    proof = prove_rows(tree, number_rows(8))
    version = ("test", "table.parquet", "sha256:00")
    algorithm, digits = tree.identity.digest
    model = ("test", "model", "sha256:01")
    named = Verdict(subject=model, versions={version: {algorithm: digits}, model: {}})
    verdict = verdict_on(proof, evidence=named)
    assert verdict.outcome is Outcome.TRUE
    assert "table.parquet, for model" in verdict.findings[1].message
    assert_refused(proof, "names no wf-records-1", evidence=Verdict(subject=model, versions={model: {}}))
    assert_refused(proof, "does not hold", evidence=Verdict(), outcome=Outcome.UNCHECKED)
    with keep_keys(tmp_path / "keys", leaves_of(number_rows(1, 2)), records=digits) as keys:
        assert verdict_on(prove_rows(keys, number_rows(1)), evidence=named).outcome is Outcome.TRUE


def test_files_of_a_folder_are_proved_by_path_size_and_digest():
    entries = [FileEntry(f"{number:03}.png", number, bytes([number]) * 32) for number in range(50)]
    proof = prove_files(entries, ["007.png", "031.png"])
    verdict = verdict_on(proof)
    assert verdict.outcome is Outcome.TRUE
    assert '"path":"007.png"' in verdict.findings[-2].claim
    wrong = dataclasses.replace(proof.claims[0], row={**proof.claims[0].row, "size": 8})
    assert_refused(dataclasses.replace(proof, claims=(wrong, *proof.claims[1:])), "leads to root")
    with pytest.raises(LookupError, match=r"no file '050\.png'"):
        prove_files(entries, ["050.png"])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"name": "x"}, "lacks the column 'number'"),
        ({"name": "x", "number": 1, "more": 2}, "has a column 'more'; the set has 'name', 'number'"),
        ({"name": 1, "number": 1}, "column 'name': 1 is not text"),
        ({"name": "x", "number": "one"}, "column 'number': 'one' is not a number"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_by_column(tree, row, message):
    with pytest.raises(FormatError, match=message):
        prove_rows(tree, [row])


def test_no_rows_give_no_proof(tree):
    with pytest.raises(FormatError, match="no rows"):
        prove_rows(tree, [])
