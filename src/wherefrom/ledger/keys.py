"""The keys of a stored ledger: its key statements, and the book that they add up to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wherefrom.errors import UnavailableError
from wherefrom.notes import VerifierKey, parse_verifier_key
from wherefrom.statements import KeyBook, KeyEntry, parse_entry, parse_envelope
from wherefrom.store import LedgerTables


def read_key_entries(tables: LedgerTables, indexes: Iterable[int]) -> list[KeyEntry]:
    """The key statements at these indexes, in ledger order. Raises UnavailableError for one whose text is gone."""
    found = []
    for stored in tables.read_entries(indexes):
        if stored.envelope is None:
            raise UnavailableError(f"entry {stored.index}: the key statement beside it is gone")
        found.append(KeyEntry(stored.index, parse_entry(stored.entry).received, parse_envelope(stored.envelope)))
    return found


def read_key_book(tables: LedgerTables, indexes: Iterable[int], log_keys: Sequence[VerifierKey]) -> KeyBook:
    """Whose signatures count, by the key statements at these indexes and the log's keys that are trusted.

    Raises SignatureError, FormatError: an entry that the ledger would not have taken. UnavailableError: as above.
    """
    return KeyBook.read(log_keys, read_key_entries(tables, indexes), parse_key=parse_verifier_key)
