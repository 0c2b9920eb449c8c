"""The one hash tree, RFC 9162 with SHA-256, for the log and for data sets: roots, proofs, ranges, tiles. Pure; no I/O.

    leaves = [hash_leaf(entry) for entry in entries]
    proof = prove_inclusion(leaves, 7)
    verify_inclusion(leaves[7], index=7, size=len(leaves), proof=proof, root=root_of(leaves))

`docs/spec/ledger-formats.md` names the documents followed, and the choices made where they leave room.
"""

from wherefrom.merkle.compact import CompactRange, root_of
from wherefrom.merkle.consistency import prove_consistency, verify_consistency
from wherefrom.merkle.hashing import EMPTY_ROOT, HASH_SIZE, hash_children, hash_leaf
from wherefrom.merkle.inclusion import prove_inclusion, verify_inclusion
from wherefrom.merkle.multiproof import prove_leaves, verify_leaves
from wherefrom.merkle.tilepath import (
    TILE_WIDTH,
    TileId,
    format_entries_path,
    format_tile_path,
    parse_entries_path,
    parse_tile_path,
)
from wherefrom.merkle.tiles import (
    ReadTile,
    append_to_tiles,
    prove_consistency_from_tiles,
    prove_inclusion_from_tiles,
    prove_leaves_from_tiles,
    range_from_tiles,
    root_from_tiles,
    tile_widths,
)

__all__ = [
    "EMPTY_ROOT",
    "HASH_SIZE",
    "TILE_WIDTH",
    "CompactRange",
    "ReadTile",
    "TileId",
    "append_to_tiles",
    "format_entries_path",
    "format_tile_path",
    "hash_children",
    "hash_leaf",
    "parse_entries_path",
    "parse_tile_path",
    "prove_consistency",
    "prove_consistency_from_tiles",
    "prove_inclusion",
    "prove_inclusion_from_tiles",
    "prove_leaves",
    "prove_leaves_from_tiles",
    "range_from_tiles",
    "root_from_tiles",
    "root_of",
    "tile_widths",
    "verify_consistency",
    "verify_inclusion",
    "verify_leaves",
]
