"""Small kept trees for tests of proofs, made without the fast road."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wherefrom.commitments import Column, KeyCommitment, LogicalType, RecordsFingerprint, Secret
from wherefrom.commitments.secret import KEY, ROW
from wherefrom.commitments.values import leaf_of, row_bytes
from wherefrom.fingerprints import KeptTree
from wherefrom.merkle import append_to_tiles, root_of
from wherefrom.strict import format_plain

NAME = Column("name", LogicalType("text"))
NUMBER = Column("number", LogicalType("number"))


def number_rows(*numbers: int) -> list[dict[str, Any]]:
    return [{"name": f"row {number}", "number": number} for number in numbers]


def leaves_of(rows: list[dict[str, Any]], *, secret: Secret | None = None, is_keys: bool = False) -> list[bytes]:
    """Leaf hashes in the order of the rows, which are those of `number_rows`."""
    about = RecordsFingerprint(0, (NAME, NUMBER), bytes(32))
    leaves = []
    for row in rows:
        text = row_bytes(row, about)
        leaves.append(leaf_of(text, salt=secret.salt_of(text, KEY if is_keys else ROW) if secret else None))
    return leaves


def keep(folder: Path, leaves: list[bytes], *, secret: Secret | None = None, **members: Any) -> KeptTree:
    """A tree of rows with these leaves, as they are: whoever forges need not sort them."""
    salt = secret.scheme if secret else "none"
    identity = RecordsFingerprint(len(leaves), (NAME, NUMBER), root_of(leaves), salt=salt, **members)
    return write(folder, identity, leaves)


def keep_keys(folder: Path, leaves: list[bytes], *, secret: Secret | None = None, records: str = "0" * 64) -> KeptTree:
    salt = secret.scheme if secret else "none"
    ordered = sorted(set(leaves))
    return write(folder, KeyCommitment(records, (NAME, NUMBER), len(ordered), 0, root_of(ordered), salt=salt), ordered)


def write(folder: Path, identity: RecordsFingerprint | KeyCommitment, leaves: list[bytes]) -> KeptTree:
    folder.mkdir(parents=True)
    (folder / "identity.json").write_bytes(format_plain(identity.to_json()))
    tiles, _ = append_to_tiles(0, leaves, lambda *_: b"")
    levels: dict[int, bytes] = {}
    for (level, _), data in sorted(tiles.items()):
        levels[level] = levels.get(level, b"") + data
    for level, data in levels.items():
        (folder / str(level)).write_bytes(data)
    return KeptTree(folder)
