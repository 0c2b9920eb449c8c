"""RFC 9162 roots over many leaves, a level at a time. Agrees with `merkle.root_of`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from wherefrom.fingerprints.pool import ordered_map
from wherefrom.fingerprints.sha256 import hash_rows
from wherefrom.merkle import EMPTY_ROOT

if TYPE_CHECKING:
    import numpy.typing as npt

# Nodes hashed in one call: 65 bytes each, so a call's working set stays in a core's cache.
_NODES_PER_CALL: Final = 2**15


def root_of_hashes(leaf_hashes: npt.NDArray[np.uint8]) -> bytes:
    """Root over leaf hashes, (n, 32), in the order given; that of the empty tree when there are none."""
    if len(leaf_hashes) == 0:
        return EMPTY_ROOT
    level = np.ascontiguousarray(leaf_hashes)
    while len(level) > 1:
        # Pairing neighbours and carrying an odd last node up gives the same tree as splitting at powers of two.
        paired = len(level) // 2 * 2
        pairs = level[:paired].reshape(-1, 64)
        parts = [pairs[start : start + _NODES_PER_CALL] for start in range(0, len(pairs), _NODES_PER_CALL)]
        parents = list(ordered_map(_hash_pairs, parts) if len(parts) > 1 else map(_hash_pairs, parts))
        level = np.concatenate([*parents, level[paired:]])
    return level.tobytes()


def _hash_pairs(pairs: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    nodes = np.empty((len(pairs), 65), np.uint8)
    nodes[:, 0] = 1
    nodes[:, 1:] = pairs
    return hash_rows(nodes)
