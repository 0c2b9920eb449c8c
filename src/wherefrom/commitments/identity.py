"""Fingerprints as values: identity objects, their ids, and reading them back strictly.

An id is the SHA-256 of the identity object in canonical JSON (RFC 8785). Whatever is not in the identity object, such
as the file format that the rows came from, does not change the id.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Self

from wherefrom.commitments.logical import Column, parse_columns
from wherefrom.errors import FormatError
from wherefrom.merkle import EMPTY_ROOT
from wherefrom.strict import format_plain

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_COUNT: Final = 2**53 - 1
"""Largest count that every JSON reader keeps exactly."""

ORDERS: Final = ("sorted", "sequence")
"""Leaves ascending by their bytes, or in the order of the rows."""

FORMS: Final = ("exact", "text", "url", "document")
"""What was done to a key's values before they were committed to: docs/spec/fingerprint-records-v1.md section 7."""

_KIND_OF_FORM: Final = {"text": "text", "url": "text", "document": "binary"}

UNSALTED: Final = "none"
SALTED: Final = "hmac-sha256:"
"""Begins the `salt` of a private fingerprint; the commitment to its secret follows, in hex."""


class _Identified:
    """What all fingerprints share: an algorithm name, an identity object, and the id that follows from it."""

    __slots__ = ()
    ALGORITHM: ClassVar[str]

    def to_json(self) -> dict[str, object]:
        raise NotImplementedError

    @property
    def id(self) -> str:
        """64 lower-case hex digits: SHA-256 of the canonical identity object."""
        return hashlib.sha256(format_plain(self.to_json())).hexdigest()

    @property
    def digest(self) -> tuple[str, str]:
        """Algorithm name and id, as they stand in a digest set."""
        return self.ALGORITHM, self.id

    def __str__(self) -> str:
        return f"{self.ALGORITHM}:{self.id}"


@dataclass(frozen=True, slots=True)
class FilesFingerprint(_Identified):
    """Which bytes a file or folder holds, and under which relative paths: docs/spec/fingerprint-files-v1.md."""

    ALGORITHM: ClassVar[str] = "wf-files-1"

    count: int
    total_bytes: int
    root: bytes
    """32 bytes."""
    sha256: str | None = field(default=None, compare=False)
    """Plain SHA-256 of a single file in hex, which is also its Git LFS oid; not part of the identity."""

    def to_json(self) -> dict[str, object]:
        return {
            "bytes": self.total_bytes,
            "files": self.count,
            "order": "path",
            "root": self.root.hex(),
            "salt": "none",
            "type": self.ALGORITHM,
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read an identity object; FormatError naming the member that is wrong."""
        members = _members(value, cls.ALGORITHM, {"bytes", "files", "order", "root", "salt"})
        _expect(members, "order", "path")
        _expect(members, "salt", "none")
        count, root = _count(members, "files"), _root(members)
        total_bytes = _count(members, "bytes")
        _check_emptiness(count, root, what="files")
        if count == 0 and total_bytes:
            raise FormatError(f"wf-files-1: no files, but bytes is {total_bytes}, expected 0")
        return cls(count, total_bytes, root)


@dataclass(frozen=True, slots=True)
class RecordsFingerprint(_Identified):
    """Which rows a table holds, whatever holds the table: docs/spec/fingerprint-records-v1.md."""

    ALGORITHM: ClassVar[str] = "wf-records-1"

    rows: int
    columns: tuple[Column, ...]
    """In the order of their names' UTF-8 bytes."""
    root: bytes
    """32 bytes."""
    read_options: Mapping[str, object] | None = field(default=None, compare=False)
    """How the source was read (format, parse options, version, snapshot, ETag); JSON, beside the identity."""
    left_out: tuple[str, ...] = field(default=(), compare=False)
    """Columns that pandas wrote for an index without a name, which are not part of the table; beside the identity."""
    order: str = "sorted"
    """One of `ORDERS`."""
    salt: str = UNSALTED
    """`UNSALTED`, or `SALTED` and 64 hex digits."""

    def to_json(self) -> dict[str, object]:
        return {
            "columns": [column.to_json() for column in self.columns],
            "order": self.order,
            "root": self.root.hex(),
            "rows": self.rows,
            "salt": self.salt,
            "type": self.ALGORITHM,
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read an identity object; FormatError naming the member that is wrong."""
        members = _members(value, cls.ALGORITHM, {"columns", "order", "root", "rows", "salt"})
        order, salt = _choice(members, "order", ORDERS), _salt(members)
        rows, root = _count(members, "rows"), _root(members)
        _check_emptiness(rows, root, what="rows")
        columns = parse_columns(members["columns"], where=f"{cls.ALGORITHM} columns")
        return cls(rows, columns, root, order=order, salt=salt)


@dataclass(frozen=True, slots=True)
class KeyCommitment(_Identified):
    """Which keys, such as customer ids, occur in a table; bound to the table's fingerprint."""

    ALGORITHM: ClassVar[str] = "wf-keys-1"

    records: str
    """Id of the `wf-records-1` fingerprint that this belongs to: 64 hex digits."""
    columns: tuple[Column, ...]
    """The key columns, in the order of their names' UTF-8 bytes; at least one."""
    keys: int
    """How many distinct keys."""
    keyless: int
    """How many rows have no key: null in every key column."""
    root: bytes
    """32 bytes."""
    form: str = "exact"
    """One of `FORMS`; a form other than "exact" has one key column."""
    salt: str = UNSALTED
    """As in `RecordsFingerprint`."""

    def to_json(self) -> dict[str, object]:
        return {
            "columns": [column.to_json() for column in self.columns],
            "form": self.form,
            "keyless": self.keyless,
            "keys": self.keys,
            "order": "sorted",
            "records": self.records,
            "root": self.root.hex(),
            "salt": self.salt,
            "type": self.ALGORITHM,
        }

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Read an identity object; FormatError naming the member that is wrong."""
        names = {"columns", "form", "keyless", "keys", "order", "records", "root", "salt"}
        members = _members(value, cls.ALGORITHM, names)
        _expect(members, "order", "sorted")
        form, salt = _choice(members, "form", FORMS), _salt(members)
        columns = parse_columns(members["columns"], where=f"{cls.ALGORITHM} columns")
        if not columns:
            raise FormatError("wf-keys-1: columns is empty, expected at least one key column")
        if form != "exact" and len(columns) > 1:
            raise FormatError(f"wf-keys-1: form {form!r} has {len(columns)} key columns, expected one")
        if form != "exact" and columns[0].type.kind not in (_KIND_OF_FORM[form], "null"):
            raise FormatError(
                f"wf-keys-1: form {form!r} has key column {columns[0].name!r} of type {columns[0].type}, "
                f"expected {_KIND_OF_FORM[form]}"
            )
        keys, root = _count(members, "keys"), _root(members)
        _check_emptiness(keys, root, what="keys")
        return cls(_hex(members, "records"), columns, keys, _count(members, "keyless"), root, form, salt)


def _members(value: object, algorithm: str, names: set[str]) -> dict[str, object]:
    if not isinstance(value, dict):
        raise FormatError(f"{algorithm}: expected an object, got {type(value).__name__}")
    members: dict[str, object] = {"algorithm": algorithm, **value}
    if value.get("type") != algorithm:
        raise FormatError(f"{algorithm}: type is {value.get('type')!r}")
    wanted = names | {"type"}
    if missing := wanted - value.keys():
        raise FormatError(f"{algorithm}: {', '.join(sorted(missing))} missing")
    if unknown := value.keys() - wanted:
        raise FormatError(f"{algorithm}: unknown member {', '.join(sorted(map(repr, unknown)))}")
    return members


def _expect(members: dict[str, object], name: str, expected: str) -> None:
    if members[name] != expected:
        raise FormatError(f"{members['algorithm']}: {name} is {members[name]!r}, this version knows {expected!r} only")


def _choice(members: dict[str, object], name: str, known: tuple[str, ...]) -> str:
    value = members[name]
    if not isinstance(value, str) or value not in known:
        raise FormatError(f"{members['algorithm']}: {name} is {value!r}, this version knows {', '.join(known)}")
    return value


def _salt(members: dict[str, object]) -> str:
    value = members["salt"]
    if isinstance(value, str) and (
        value == UNSALTED or (value.startswith(SALTED) and _is_hex(value.removeprefix(SALTED)))
    ):
        return value
    raise FormatError(f"{members['algorithm']}: salt is {value!r}, expected {UNSALTED} or {SALTED}<64 hex digits>")


def _count(members: dict[str, object], name: str) -> int:
    value = members[name]
    if type(value) is not int or not 0 <= value <= MAX_COUNT:
        raise FormatError(f"{members['algorithm']}: {name} is {value!r}, expected a whole number from 0 to 2^53 - 1")
    return value


def _hex(members: dict[str, object], name: str) -> str:
    value = members[name]
    if not isinstance(value, str) or not _is_hex(value):
        raise FormatError(f"{members['algorithm']}: {name} is {value!r}, expected 64 lower-case hex digits")
    return value


def _is_hex(value: str) -> bool:
    return len(value) == 64 and not value.strip("0123456789abcdef")


def _root(members: dict[str, object]) -> bytes:
    return bytes.fromhex(_hex(members, "root"))


def _check_emptiness(count: int, root: bytes, *, what: str) -> None:
    if (count == 0) != (root == EMPTY_ROOT):
        raise FormatError(f"{what} is {count}, but the root is {'not ' if count == 0 else ''}that of the empty tree")
