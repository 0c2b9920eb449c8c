import json
from base64 import b64decode
from pathlib import Path

import pytest

from wherefrom.errors import ConsistencyError, FormatError
from wherefrom.merkle import EMPTY_ROOT, hash_leaf, prove_consistency, root_of, verify_consistency

VECTORS = Path(__file__).parents[2] / "vectors" / "merkle"
THEIRS = json.loads((VECTORS / "transparency-dev-consistency.json").read_text())["cases"]
OURS = json.loads((VECTORS / "consistency.json").read_text())["cases"]
STRICTER = {"additional/sizes-are-equal-one-and-proof-is-empty.json": "old root has 12 bytes, expected 32"}
"""Where they accept and we don't: they compare the two roots only, which in this case are no hashes."""
LEAVES = [hash_leaf(bytes([i])) for i in range(64)]


@pytest.mark.parametrize("case", THEIRS, ids=lambda case: case["file"])
def test_transparency_dev_vectors_pass_and_fail_as_they_say(case):
    def verify():
        verify_consistency(
            old_size=case["old_size"],
            old_root=b64decode(case["old_root"]),
            new_size=case["new_size"],
            new_root=b64decode(case["new_root"]),
            proof=[b64decode(node) for node in case["proof"]],
        )

    if case["file"] in STRICTER:
        with pytest.raises(ConsistencyError, match=STRICTER[case["file"]]):
            verify()
    elif case["want"] == "ok":
        verify()
    else:
        with pytest.raises(ConsistencyError):
            verify()


@pytest.mark.parametrize("case", OURS, ids=lambda case: case["desc"])
def test_our_vectors_pass_or_say_what_is_wrong(case):
    def verify():
        verify_consistency(
            old_size=case["old_size"],
            old_root=bytes.fromhex(case["old_root"]),
            new_size=case["new_size"],
            new_root=bytes.fromhex(case["new_root"]),
            proof=[bytes.fromhex(node) for node in case["proof"]],
        )

    if case["want"] == "ok":
        verify()
    else:
        with pytest.raises(ConsistencyError) as caught:
            verify()
        assert case["want"]["says"] in str(caught.value)


def test_the_vectors_have_more_wrong_cases_than_right_ones():
    for cases in (THEIRS, OURS):
        wrong = sum(case["want"] != "ok" for case in cases)
        assert wrong > len(cases) - wrong > 0


@pytest.mark.parametrize("new_size", range(1, 41))
def test_every_prefix_of_every_small_tree_proves_and_no_changed_proof_does(new_size):
    new_root = root_of(LEAVES[:new_size])
    for old_size in range(1, new_size + 1):
        old_root, proof = root_of(LEAVES[:old_size]), prove_consistency(LEAVES[:new_size], old_size)
        verify_consistency(old_size=old_size, old_root=old_root, new_size=new_size, new_root=new_root, proof=proof)
        assert len(proof) <= (new_size - 1).bit_length() + 1

        claims = [
            *(
                (old_size, old_root, new_size, new_root, [*proof[:i], flip(h), *proof[i + 1 :]])
                for i, h in enumerate(proof)
            ),
            *((old_size, old_root, new_size, new_root, [*proof[:i], *proof[i + 1 :]]) for i in range(len(proof))),
            *(
                (old_size, old_root, new_size, new_root, [*proof[:i], surplus, *proof[i:]])
                for i in range(len(proof) + 1)
                for surplus in (old_root, new_root)
            ),
            (old_size, flip(old_root), new_size, new_root, proof),
            (old_size, old_root, new_size, flip(new_root), proof),
            (new_size + 1, old_root, new_size, new_root, proof),
        ]
        for claim in claims:
            assert_refused(*claim)


@pytest.mark.parametrize("new_size", range(2, 41))
def test_a_tree_in_which_an_old_leaf_changed_is_never_consistent(new_size):
    for old_size in range(1, new_size):
        old_root = root_of(LEAVES[:old_size])
        for changed in {0, old_size // 2, old_size - 1}:
            leaves = [*LEAVES[:changed], LEAVES[63], *LEAVES[changed + 1 : new_size]]
            for proof in (prove_consistency(leaves, old_size), prove_consistency(LEAVES[:new_size], old_size)):
                assert_refused(old_size, old_root, new_size, root_of(leaves), proof)


@pytest.mark.parametrize("old_size", range(1, 21))
def test_a_proof_fits_no_other_old_size(old_size):
    new_size = 21
    old_root, new_root = root_of(LEAVES[:old_size]), root_of(LEAVES[:new_size])
    proof = prove_consistency(LEAVES[:new_size], old_size)
    for other in range(1, new_size + 1):
        if other != old_size:
            assert_refused(other, old_root, new_size, new_root, proof)


@pytest.mark.parametrize("new_size", range(41))
def test_from_the_empty_tree_only_an_empty_proof_passes(new_size):
    new_root = root_of(LEAVES[:new_size])
    assert prove_consistency(LEAVES[:new_size], 0) == []
    verify_consistency(old_size=0, old_root=EMPTY_ROOT, new_size=new_size, new_root=new_root, proof=[])
    assert_refused(0, EMPTY_ROOT, new_size, new_root, [new_root])
    assert_refused(0, LEAVES[0], new_size, new_root, [])


@pytest.mark.parametrize(("old_size", "new_size"), [(1, 0), (8, 7), (-1, 7)])
def test_there_is_no_proof_to_a_smaller_tree(old_size, new_size):
    with pytest.raises(FormatError, match=f"no consistency proof from size {old_size} to {new_size}: a tree does not"):
        prove_consistency(LEAVES[:new_size], old_size)


def flip(data):
    return bytes([data[0] ^ 1]) + data[1:]


def assert_refused(old_size, old_root, new_size, new_root, proof):
    with pytest.raises(ConsistencyError):
        verify_consistency(old_size=old_size, old_root=old_root, new_size=new_size, new_root=new_root, proof=proof)
