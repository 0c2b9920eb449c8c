"""A checkpoint of ours together with what witnesses said of it, as one note."""

from __future__ import annotations

from wherefrom.errors import FormatError
from wherefrom.notes import Note, NoteSignature, format_note, parse_note
from wherefrom.store import AttestationTables, LedgerTables


def read_cosigned_checkpoint(tables: LedgerTables, attestations: AttestationTables, size: int | None = None) -> bytes:
    """The signed checkpoint of this size, or the newest, with a line below it for each cosignature that is kept.

    Raises NotFoundError: no such checkpoint.
    """
    note = parse_note(tables.read_checkpoint(size))
    signed_size = int(note.text.split("\n")[1])
    cosignatures = [_line(label, signature) for label, signature in attestations.read_cosignatures(signed_size).items()]
    there = {signature.label for signature in note.signatures}
    return format_note(Note(note.text, (*note.signatures, *(line for line in cosignatures if line.label not in there))))


def _line(label: str, signature: bytes) -> NoteSignature:
    name, _, key_id = label.rpartition("+")
    try:
        return NoteSignature(name, int(key_id, 16), signature)
    except ValueError as error:
        raise FormatError(f"cosignature by {label!r}, which is no key's label") from error
