"""All trees of up to 130 leaves against hashes that the authors of Merkle Tree Certificates published.

Their vectors run over subtrees. The definitions of the RFC, written down here as recursively as there, must reach their
three values; then ours must agree with the definitions for every tree that begins at 0.
"""

import json
from functools import cache
from hashlib import sha256
from pathlib import Path

from wherefrom.merkle import hash_children, hash_leaf, prove_consistency, prove_inclusion, root_of

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "merkle" / "accumulated.json").read_text())
SIZES = range(131)
LEAVES = [hash_leaf(bytes([i])) for i in SIZES]


def split(size):
    return 1 << ((size - 1).bit_length() - 1)


@cache
def mth(begin, end):
    if begin == end:
        return sha256(b"").digest()
    if end - begin == 1:
        return LEAVES[begin]
    middle = begin + split(end - begin)
    return hash_children(mth(begin, middle), mth(middle, end))


def path(index, begin, end):
    if end - begin <= 1:
        return []
    middle = begin + split(end - begin)
    if index < middle:
        return [*path(index, begin, middle), mth(middle, end)]
    return [*path(index, middle, end), mth(begin, middle)]


def subproof(start, end, low, high, known):
    if (start, end) == (low, high):
        return [] if known else [mth(low, high)]
    middle = low + split(high - low)
    if end <= middle:
        return [*subproof(start, end, low, middle, known), mth(middle, high)]
    if start >= middle:
        return [*subproof(start, end, middle, high, known), mth(low, middle)]
    return [*subproof(middle, end, middle, high, False), mth(low, middle)]


def subtrees(end):
    for start in range(end):
        if start % (1 << (end - start - 1).bit_length()) == 0:
            yield start
    yield end  # the empty one


def test_roots_of_all_subtrees():
    digest = sha256()
    for end in SIZES:
        for start in subtrees(end):
            assert root_of(LEAVES[start:end]) == mth(start, end)
            digest.update(f"[{start}, {end}) {root_of(LEAVES[start:end]).hex()}\n".encode())
    assert digest.hexdigest() == VECTORS["subtree_hashes"]["want"]


def test_inclusion_proofs_in_all_subtrees():
    digest = sha256()
    for end in SIZES:
        for start in subtrees(end):
            for index in range(start, end):
                proof = path(index, start, end)
                if start == 0 or (end - start) % 7 == 0:
                    assert prove_inclusion(LEAVES[start:end], index - start) == proof
                digest.update(f"{' '.join([f'{index} [{start}, {end})', *(h.hex() for h in proof)])}\n".encode())
    assert digest.hexdigest() == VECTORS["subtree_inclusion_proofs"]["want"]


def test_consistency_proofs_from_all_prefixes():
    digest = sha256()
    for size in SIZES:
        for end in range(size + 1):
            for start in subtrees(end):
                proof = subproof(start, end, 0, size, True) if start < end else []
                if start == 0:
                    assert prove_consistency(LEAVES[:size], end) == proof
                digest.update(f"{' '.join([f'[{start}, {end}) {size}', *(h.hex() for h in proof)])}\n".encode())
    assert digest.hexdigest() == VECTORS["subtree_consistency_proofs"]["want"]
