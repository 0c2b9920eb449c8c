"""The two hashes of the tree: SHA-256, with a first byte that keeps leaves and nodes apart. RFC 9162 section 2.1.1.

Without the prefix, the 64 bytes below a node could be shown as an entry, and a tree of two leaves as a tree of one.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from wherefrom.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HASH_SIZE: Final = 32
EMPTY_ROOT: Final = sha256().digest()
"""The root of a tree without leaves: the hash of no bytes."""


def hash_leaf(entry: bytes) -> bytes:
    """SHA-256(0x00 ‖ entry)."""
    return sha256(b"\x00" + entry).digest()


def hash_children(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right), both 32 bytes; the lengths are not checked, this is the innermost loop."""
    return sha256(b"\x01" + left + right).digest()


def hash_pairs(nodes: Sequence[bytes]) -> list[bytes]:
    """The parents of adjacent nodes, two by two; an even number of them."""
    pairs = iter(nodes)
    return [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]


def hash_subtrees(roots: Sequence[bytes]) -> bytes:
    """The root of a tree from those of the perfect subtrees that it falls into, left to right; EMPTY_ROOT for none."""
    if not roots:
        return EMPTY_ROOT
    root = roots[-1]
    for left in reversed(roots[:-1]):
        root = hash_children(left, root)
    return root


def check_hashes(hashes: Iterable[bytes], *, what: str) -> None:
    """Raise FormatError, naming the first, if one of them is not 32 bytes long; `what` says what each is."""
    lengths = list(map(len, hashes))
    if lengths.count(HASH_SIZE) != len(lengths):
        position, length = next((i, n) for i, n in enumerate(lengths) if n != HASH_SIZE)
        raise FormatError(f"{what} {position} has {length} bytes, expected {HASH_SIZE}")
