"""`docs/spec/fingerprint-proofs-v1.md` in its order and words: making and checking proofs, slow and literal.

Rows are in the notation of the vectors (section 9 of fingerprint-records-v1.md) beside the JSON that a proof shows.
"""

import base64
import hmac
import json

from tests.reference import wf_records
from tests.reference.wf_records import LEAF, NODE, canonical_json, identifier, root, sha256

HEADER = "wf-proof-1"


def leaf(row_bytes, salt=b""):
    return sha256(LEAF + salt + row_bytes)


def salt_of(secret, row_bytes, *, is_key=False):
    return hmac.digest(secret, (b"\x01" if is_key else b"\x00") + row_bytes, "sha256")


# Section 3: the proof.


def split(size):
    k = 1
    while k * 2 < size:
        k *= 2
    return k


def proof_hashes(leaves, named, begin=0, end=None):
    """Roots of the largest subtrees without a named leaf, from left to right."""
    end = len(leaves) if end is None else end
    if begin == end:
        return []
    if not any(begin <= index < end for index in named):
        return [root(leaves[begin:end])]
    if end - begin == 1:
        return []
    k = split(end - begin)
    return proof_hashes(leaves, named, begin, begin + k) + proof_hashes(leaves, named, begin + k, end)


def fold(named, hashes, begin, end):
    if not any(begin <= index < end for index in named):
        return hashes.pop(0)
    if end - begin == 1:
        return named[begin]
    k = split(end - begin)
    left = fold(named, hashes, begin, begin + k)
    return sha256(NODE + left + fold(named, hashes, begin + k, end))


def holds(named, hashes, size, expected):
    hashes = list(hashes)
    if size == 0:
        return not named and not hashes and expected == root([])
    try:
        return fold(named, hashes, 0, size) == expected and not hashes
    except IndexError:
        return False


# Section 1: the text.


def text(identity, claims, shown, hashes, part=None):
    """Claims: (kind, index, salt or None, row as JSON)."""
    lines = [HEADER, canonical_json(identity).decode()]
    for kind, index, salt, row in claims:
        lines.append(" ".join([kind, str(index), *([b64(salt)] if salt else []), row_text(row)]))
    if part:
        lines.append(f"part {canonical_json(part).decode()}")
    lines += [f"leaf {index} {b64(shown[index])}" for index in sorted(shown)]
    return "\n".join([*lines, "", *map(b64, hashes)]) + "\n"


def row_text(row):
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def b64(value):
    return base64.b64encode(value).decode()


def prove(identity, leaves, asked):
    """The text of a proof about rows, (row as JSON, its leaf hash, its salt or None), that are there or are not."""
    claims, named = [], {}
    for row, row_leaf, salt in asked:
        if row_leaf in leaves:
            index = leaves.index(row_leaf)
            claims.append(("present", index, salt, row))
            named[index] = row_leaf
        else:
            claims.append(("absent", sum(other < row_leaf for other in leaves), salt, row))
    beside = {i for kind, index, _, _ in claims if kind == "absent" for i in (index - 1, index)}
    shown = {i: leaves[i] for i in beside if 0 <= i < len(leaves) and i not in named}
    claims.sort(key=lambda claim: (claim[1], claim[0] == "absent", row_text(claim[3])))
    return text(identity, claims, shown, proof_hashes(leaves, {**named, **shown}))


def prove_part(identity, leaves, part, part_leaves):
    shown, start = {}, 0
    for part_leaf in part_leaves:
        start = leaves.index(part_leaf, start)
        shown[start] = part_leaf
        start += 1
    return text(identity, [], shown, proof_hashes(leaves, shown), part)


__all__ = ["holds", "identifier", "leaf", "prove", "prove_part", "salt_of", "text", "wf_records"]
