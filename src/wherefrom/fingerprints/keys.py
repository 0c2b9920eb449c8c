"""Which keys of a table are committed to. Source: docs/spec/fingerprint-records-v1.md section 7."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wherefrom.commitments import FORMS, LogicalType
from wherefrom.errors import FormatError


@dataclass(frozen=True, slots=True)
class Key:
    """A kind of key: the columns that hold it together, and what is done to their values before.

    Raises FormatError: no columns, one twice, an unknown form, or a form other than "exact" for several columns.
    """

    columns: tuple[str, ...]
    form: str = "exact"
    """One of `FORMS`: as it stands, normalised text, URL without its fragment, or SHA-256 of a document."""

    def __post_init__(self) -> None:
        columns: object = self.columns
        if not isinstance(columns, Sequence) or isinstance(columns, str) or not columns:
            raise FormatError(f"key columns are {columns!r}, expected one or more different column names")
        object.__setattr__(self, "columns", tuple(columns))
        if not all(isinstance(name, str) for name in columns) or len(set(columns)) < len(columns):
            raise FormatError(f"key columns are {columns!r}, expected one or more different column names")
        if self.form not in FORMS:
            raise FormatError(f"unknown key form {self.form!r}; known: {', '.join(FORMS)}")
        if self.form != "exact" and len(columns) > 1:
            raise FormatError(f"key form {self.form!r} takes one column, got {', '.join(map(repr, columns))}")

    @classmethod
    def parse(cls, text: str) -> Key:
        """A key as users write it: "customer_id", "first,last", or with a form before it, "url:page"."""
        form, colon, columns = text.partition(":")
        if not colon or form not in FORMS:  # a column's name may hold a colon
            form, columns = "exact", text
        return cls(tuple(name.strip() for name in columns.split(",")), form)

    @classmethod
    def of(cls, key: Key | Sequence[str]) -> Key:
        """A key as it is, or the exact key of these columns."""
        return key if isinstance(key, Key) else cls(key)  # type: ignore[arg-type]  # made a tuple of, if it is a list


def key_type(column_type: LogicalType, *, form: str) -> LogicalType:
    """What the key rows of a column of this type hold."""
    return LogicalType("binary") if form == "document" and column_type.kind == "text" else column_type
