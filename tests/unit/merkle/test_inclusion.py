import json
from base64 import b64decode
from pathlib import Path

import pytest

from wherefrom.errors import FormatError, InclusionError
from wherefrom.merkle import hash_leaf, prove_inclusion, root_of, verify_inclusion

VECTORS = Path(__file__).parents[2] / "vectors" / "merkle"
THEIRS = json.loads((VECTORS / "transparency-dev-inclusion.json").read_text())["cases"]
OURS = json.loads((VECTORS / "inclusion.json").read_text())["cases"]
LEAVES = [hash_leaf(bytes([i])) for i in range(64)]


@pytest.mark.parametrize("case", THEIRS, ids=lambda case: case["file"])
def test_transparency_dev_vectors_pass_and_fail_as_they_say(case):
    def verify():
        verify_inclusion(
            b64decode(case["leaf_hash"]),
            index=case["index"],
            size=case["size"],
            proof=[b64decode(sibling) for sibling in case["proof"]],
            root=b64decode(case["root"]),
        )

    if case["want"] == "ok":
        verify()
    else:
        with pytest.raises(InclusionError):
            verify()


@pytest.mark.parametrize("case", OURS, ids=lambda case: case["desc"])
def test_our_vectors_pass_or_say_what_is_wrong(case):
    def verify():
        verify_inclusion(
            bytes.fromhex(case["leaf_hash"]),
            index=case["index"],
            size=case["size"],
            proof=[bytes.fromhex(sibling) for sibling in case["proof"]],
            root=bytes.fromhex(case["root"]),
        )

    if case["want"] == "ok":
        verify()
    else:
        with pytest.raises(InclusionError) as caught:
            verify()
        assert case["want"]["says"] in str(caught.value)


def test_the_vectors_have_more_wrong_cases_than_right_ones():
    for cases in (THEIRS, OURS):
        wrong = sum(case["want"] != "ok" for case in cases)
        assert wrong > len(cases) - wrong > 0


@pytest.mark.parametrize("size", range(1, 41))
def test_every_leaf_of_every_small_tree_proves_and_no_changed_proof_does(size):
    root = root_of(LEAVES[:size])
    for index in range(size):
        leaf, proof = LEAVES[index], prove_inclusion(LEAVES[:size], index)
        verify_inclusion(leaf, index=index, size=size, proof=proof, root=root)
        assert len(proof) <= (size - 1).bit_length()

        claims = [
            *((leaf, index, size, [*proof[:i], flip(h), *proof[i + 1 :]], root) for i, h in enumerate(proof)),
            *((leaf, index, size, [*proof[:i], *proof[i + 1 :]], root) for i in range(len(proof))),
            *(
                (leaf, index, size, [*proof[:i], surplus, *proof[i:]], root)
                for i in range(len(proof) + 1)
                for surplus in (leaf, root)
            ),
            *((leaf, other, size, proof, root) for other in range(-1, size + 2) if other != index),
            (flip(leaf), index, size, proof, root),
            (LEAVES[63], index, size, proof, root),
            (leaf, index, size, proof, flip(root)),
        ]
        for claim in claims:
            assert_refused(*claim)


@pytest.mark.parametrize("size", range(1, 41))
def test_another_size_proves_only_where_the_path_to_the_leaf_is_the_same(size):
    """A root says nothing of the size: it comes from the checkpoint. A size that asks for other siblings is refused."""
    root = root_of(LEAVES[:size])
    for index in range(size):
        proof = prove_inclusion(LEAVES[:size], index)
        for other in range(index + 1, 64):
            if path(index, other) == path(index, size):
                verify_inclusion(LEAVES[index], index=index, size=other, proof=proof, root=root)
            else:
                assert_refused(LEAVES[index], index, other, proof, root)


def path(index, size):
    """The sides on which siblings stand, leaf end first, by the recursive definition of RFC 9162."""
    if size <= 1:
        return ()
    split = 1
    while split * 2 < size:
        split *= 2
    return (*path(index, split), "right") if index < split else (*path(index - split, size - split), "left")


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (7, 7), (-1, 7)])
def test_there_is_no_proof_for_a_leaf_outside_the_tree(index, size):
    with pytest.raises(FormatError, match=f"no inclusion proof for leaf {index} in a tree of size {size}"):
        prove_inclusion(LEAVES[:size], index)


def flip(data):
    return bytes([data[0] ^ 1]) + data[1:]


def assert_refused(leaf_hash, index, size, proof, root):
    with pytest.raises(InclusionError):
        verify_inclusion(leaf_hash, index=index, size=size, proof=proof, root=root)
