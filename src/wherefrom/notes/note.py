"""Signed notes: a text and the signatures under it. Source: C2SP signed-note.

    This is an example message.

    — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=

The text ends with its newline and reaches to the last blank line; below it there is a line for each signature: em dash,
key name, and base64 of the four-byte key id followed by the signature.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from wherefrom.errors import FormatError, SignatureError
from wherefrom.notes.cosignature import Cosignature, sign_line, verify_line
from wherefrom.notes.keys import ED25519, format_label, is_key_name, parse_label
from wherefrom.notes.strict import format_base64, parse_base64

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from wherefrom.notes.keys import Signer, VerifierKey

MAX_NOTE_BYTES: Final = 1 << 20
MAX_SIGNATURES: Final = 100

_NOT_IN_NOTES: Final = re.compile("[\x00-\x09\x0b-\x1f\ud800-\udfff]")  # but newlines
_DASH: Final = "— "
_KEY_ID_SIZE: Final = 4


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """A signature line. Its name and key id say which key to try; only `open_note` says who signed.

    `key_id` is 0 to 2**32 - 1; `signature` at least one byte: 64 for Ed25519, 8 more than the raw signature for a
    cosigner. Raises FormatError for anything else.
    """

    name: str
    key_id: int
    signature: bytes

    def __post_init__(self) -> None:
        if not is_key_name(self.name):
            raise FormatError(f"signature by {self.name!r}, which is not a key name")
        if not 0 <= self.key_id < 2 ** (8 * _KEY_ID_SIZE):
            raise FormatError(f"signature by {self.name!r} has key id {self.key_id}, expected 0 to 2**32 - 1")
        if not self.signature:
            raise FormatError(f"signature by {self.label} is empty")

    @classmethod
    def of(cls, label: str, signature: bytes) -> Self:
        """The line of the key with this label, as `label` gives it. Raises FormatError."""
        return cls(*parse_label(label), signature)

    @property
    def label(self) -> str:
        return format_label(self.name, self.key_id)


@dataclass(frozen=True, slots=True)
class Note:
    """A text and who claims to have signed it; nothing is verified.

    `text` ends with a newline and has no other control character; 1 to 100 signatures. Raises FormatError for others.
    """

    text: str
    signatures: tuple[NoteSignature, ...]

    def __post_init__(self) -> None:
        _check_text(self.text)
        if not 1 <= len(self.signatures) <= MAX_SIGNATURES:
            raise FormatError(f"note has {len(self.signatures)} signatures, expected 1 to {MAX_SIGNATURES}")


@dataclass(frozen=True, slots=True)
class VerifiedNote:
    """A text, and the keys whose signatures of it were verified: at least one, in the order of the signatures.

    `times` has what the cosigners among them say, by the key's label.
    """

    text: str
    signed_by: tuple[VerifierKey, ...]
    times: Mapping[str, datetime | None] = field(default_factory=dict)

    @property
    def cosignatures(self) -> tuple[Cosignature, ...]:
        """Those by keys of a cosigner's type, in the order of the signatures."""
        return tuple(Cosignature(key, self.times.get(key.label)) for key in self.signed_by if key.key_type != ED25519)


def parse_note(data: bytes) -> Note:
    """Read a note of at most 1 MiB without verifying it. Raises FormatError."""
    if len(data) > MAX_NOTE_BYTES:
        raise FormatError(f"note has {len(data)} bytes, expected at most {MAX_NOTE_BYTES}")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(f"note is not UTF-8 at byte {error.start}") from error
    body, blank, below = whole.rpartition("\n\n")
    if not blank:
        raise FormatError("note has no blank line between text and signatures")
    first = body.count("\n") + 3  # the text has one line more than `body` has newlines, and a blank line follows
    return Note(body + "\n", parse_signatures(below, first=first))


def parse_signatures(text: str, *, first: int = 1) -> tuple[NoteSignature, ...]:
    """The inverse of `format_signatures`: 1 to 100 lines. `first` is the number of the first one in errors.

    Raises FormatError.
    """
    if not text.endswith("\n"):
        raise FormatError("note does not end with a signature line and its newline")
    lines = text[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise FormatError(f"note has {len(lines)} signatures, expected at most {MAX_SIGNATURES}")
    return tuple(_parse_signature(line, number) for number, line in enumerate(lines, start=first))


def format_note(note: Note) -> bytes:
    """The inverse of `parse_note`. Raises FormatError: more than 1 MiB."""
    data = f"{note.text}\n".encode() + format_signatures(note.signatures)
    if len(data) > MAX_NOTE_BYTES:
        raise FormatError(f"note has {len(data)} bytes, expected at most {MAX_NOTE_BYTES}")
    return data


def format_signatures(signatures: Iterable[NoteSignature]) -> bytes:
    """Signature lines by themselves, as a witness returns them."""
    lines = (f"{_DASH}{s.name} {format_base64(s.key_id.to_bytes(_KEY_ID_SIZE) + s.signature)}\n" for s in signatures)
    return "".join(lines).encode()


def sign_note(text: str, *signers: Signer, time_s: int = 0) -> bytes:
    """A note with this text, signed by each of the keys in order.

    Args:
        time_s: the time that cosigners among them name, in seconds since 1970-01-01 UTC; 0: none.

    Raises FormatError: a text that no note may have, or one that a cosigner does not sign.
    """
    _index(signer.verifier_key for signer in signers)
    _check_text(text)
    return format_note(Note(text, make_signatures(text, signers, time_s=time_s)))


def make_signatures(text: str, signers: Iterable[Signer], *, time_s: int = 0) -> tuple[NoteSignature, ...]:
    """The line of each signer under this text, in order; see `sign_note`."""
    return tuple(
        NoteSignature(s.verifier_key.name, s.verifier_key.key_id, sign_line(s, text, time_s=time_s)) for s in signers
    )


def add_signatures(data: bytes, signatures: Iterable[NoteSignature]) -> bytes:
    """The note with further lines at its end, but for those it has. Raises FormatError: no note, or too many lines."""
    note = parse_note(data)
    more = [signature for signature in dict.fromkeys(signatures) if signature not in note.signatures]
    return format_note(Note(note.text, (*note.signatures, *more)))


def open_note(data: bytes, verifier_keys: Iterable[VerifierKey]) -> VerifiedNote:
    """Read a note and verify every signature by a known key; signatures by others are ignored.

    Raises FormatError: not a note, or two known keys with one name and key id. SignatureError: a known key's signature
    does not verify, even if another does; or no known key signed. UnavailableError: a known key signed in a way that
    can't be checked.
    """
    known = _index(verifier_keys)
    note = parse_note(data)
    signed_by: dict[str, VerifierKey] = {}
    times: dict[str, datetime | None] = {}
    for signature in note.signatures:
        if key := known.get(signature.label):
            said = verify_line(key, note.text, signature.signature)
            signed_by[key.label] = key
            times[key.label] = min(filter(None, (said, times.get(key.label))), default=None)  # the earliest it names
    if not signed_by:
        seen = ", ".join(dict.fromkeys(signature.label for signature in note.signatures))
        raise SignatureError(f"no signature by a known key: signed by {seen}; known: {', '.join(known) or 'none'}")
    return VerifiedNote(note.text, tuple(signed_by.values()), times)


def _check_text(text: str) -> None:
    if not text.endswith("\n"):
        raise FormatError("note text does not end with a newline")
    if bad := _NOT_IN_NOTES.search(text):
        raise FormatError(f"note text has {bad[0]!r} at character {bad.start()}, which no note may hold")


def _parse_signature(line: str, number: int) -> NoteSignature:
    what = f"note line {number}"
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise FormatError(f"{what} is not a signature, expected '{_DASH}<key name> <base64>'")
    data = parse_base64(encoded, what=f"{what}: signature")
    if len(data) <= _KEY_ID_SIZE:
        raise FormatError(f"{what}: signature has {len(data)} bytes, expected more than the {_KEY_ID_SIZE} of a key id")
    try:
        return NoteSignature(name, int.from_bytes(data[:_KEY_ID_SIZE]), data[_KEY_ID_SIZE:])
    except FormatError as error:
        raise FormatError(f"{what}: {error}") from error


def _index(keys: Iterable[VerifierKey]) -> dict[str, VerifierKey]:
    """Keys by label; two with one label would make it a matter of order which signature counts."""
    known: dict[str, VerifierKey] = {}
    for key in keys:
        if key.label in known:
            raise FormatError(f"key {key.label} is given twice, or two keys share this name and key id")
        known[key.label] = key
    return known
