"""Tables that files were added to: what was hashed before is taken from the kept trees, and not read again.

Beside the identity of a kept tree of rows, `parts.json` says which files its rows came from, in which state. Where
all of them are still there as they were, their leaves are those in the tree.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from wherefrom.commitments import KeyCommitment, RecordsFingerprint
from wherefrom.errors import FormatError
from wherefrom.fingerprints.kept import read_identity
from wherefrom.fingerprints.tree import TreeBuilder
from wherefrom.merkle import HASH_SIZE
from wherefrom.strict import parse_json

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt

    from wherefrom.fingerprints.kept import KeptIdentity, KeptTrees
    from wherefrom.fingerprints.keys import Key
    from wherefrom.fingerprints.leaves import LeafCollector
    from wherefrom.fingerprints.sources.base import Portion

PARTS_FILE: Final = "parts.json"
_TYPE: Final = "wherefrom-parts-1"
# A file written within the clock's tick in which it was read could change once more without showing it.
_SETTLED_NS: Final = 2 * 10**9
_READ_LEAVES: Final = 2**18


@dataclass(frozen=True, slots=True)
class Before:
    """Kept trees of some of a table's files."""

    trees: KeptTrees
    fingerprint: RecordsFingerprint
    commitments: tuple[KeyCommitment, ...]
    """One for each key that is asked for."""
    names: frozenset[str]
    """The files."""

    @property
    def identities(self) -> list[KeptIdentity]:
        return [self.fingerprint, *self.commitments]


def format_parts(portions: Sequence[Portion]) -> bytes | None:
    """What `parts.json` says of these files; None if one is too new to be told from a later version."""
    if not portions or time.time_ns() - max(portion.changed_ns for portion in portions) < _SETTLED_NS:
        return None
    parts = [{"name": portion.name, "rows": portion.rows, "state": portion.state} for portion in portions]
    return json.dumps({"parts": parts, "type": _TYPE}, sort_keys=True).encode()


def find_before(
    trees: KeptTrees, portions: Sequence[Portion], *, columns: Collection[str], keys: Sequence[Key], salt: str
) -> Before | None:
    """The largest kept tree of sorted rows all of whose files are among these, unchanged; with a tree for each key."""
    now = {(portion.name, portion.rows, json.dumps(portion.state, sort_keys=True)) for portion in portions}
    found: list[Before] = []
    for path in sorted(trees.folder.glob(f"{RecordsFingerprint.ALGORITHM}-*/{PARTS_FILE}")):
        parts = _read_parts(path)
        if not parts or not parts <= now:
            continue
        fingerprint = read_identity(path.parent)
        if (
            not isinstance(fingerprint, RecordsFingerprint)
            or (fingerprint.order, fingerprint.salt) != ("sorted", salt)
            or {column.name for column in fingerprint.columns} != set(columns)
        ):
            continue
        commitments = [_find_commitment(trees, fingerprint, key) for key in keys]
        if None not in commitments:
            names = frozenset(name for name, _, _ in parts)
            found.append(Before(trees, fingerprint, tuple(filter(None, commitments)), names))
    return max(found, key=lambda before: before.fingerprint.rows, default=None)


def add_kept(identity: KeptIdentity, collector: LeafCollector, *, trees: KeptTrees) -> None:
    """Put a kept tree's leaves into a collector, and make sure that they have its root.

    Raises FormatError naming the file: they don't.
    """
    with trees.open(identity) as tree, TreeBuilder() as check:
        for hashes in _iter_leaves(tree.folder / "0", tree.size):
            collector.add(hashes)
            check.add(hashes)
        if check.finish() != identity.root:
            raise FormatError(
                f"'{tree.folder / '0'}' does not have the root that its identity states",
                hint=f"remove '{tree.folder}': it is damaged, and made again from the data",
            )


def _iter_leaves(path: Path, size: int) -> Iterator[npt.NDArray[np.uint8]]:
    if size == 0:
        return
    # Read, not mapped: a file that is cut short meanwhile is then an error, not the end of the process.
    with path.open("rb") as file:
        for first in range(0, size, _READ_LEAVES):
            count = min(_READ_LEAVES, size - first)
            data = file.read(count * HASH_SIZE)
            if len(data) < count * HASH_SIZE:
                raise FormatError(f"'{path}' ends before leaf {first + len(data) // HASH_SIZE} of {size}")
            yield np.frombuffer(data, np.uint8).reshape(-1, HASH_SIZE)


def _find_commitment(trees: KeptTrees, fingerprint: RecordsFingerprint, key: Key) -> KeyCommitment | None:
    for identity in trees:
        if (
            isinstance(identity, KeyCommitment)
            and identity.records == fingerprint.id
            and (identity.form, identity.salt) == (key.form, fingerprint.salt)
            and {column.name for column in identity.columns} == set(key.columns)
        ):
            return identity
    return None


def _read_parts(path: Path) -> set[tuple[str, int, str]]:
    """Name, rows and state of each file; none if nothing tells."""
    try:
        value = parse_json(path.read_bytes(), what=f"'{path}'")
        if value["type"] != _TYPE:
            raise FormatError(f"'{path}' has the type {value['type']!r}, expected {_TYPE!r}")
        return {(part["name"], part["rows"], json.dumps(part["state"], sort_keys=True)) for part in value["parts"]}
    except FileNotFoundError:
        return set()
    except (KeyError, TypeError) as error:
        raise FormatError(f"'{path}' does not list the parts of a table", hint="remove its folder") from error
