"""What a log sends a witness: the size it cosigned last, the proof from there, and the new checkpoint.

    old 20852014
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
    …

    example.com/behind-the-sofa
    20852163
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — example.com/behind-the-sofa Az3grlgtzPICa5OS8np…

Source: C2SP tlog-witness, `add-checkpoint`. Pure; both sides use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wherefrom.errors import FormatError
from wherefrom.merkle import HASH_SIZE
from wherefrom.notes import MAX_NOTE_BYTES, MAX_SIZE
from wherefrom.notes.strict import format_base64, parse_base64, parse_decimal

MAX_PROOF: Final = 63
MAX_REQUEST_BYTES: Final = MAX_NOTE_BYTES + 4096  # of which the lines above the note need 2,860 at most
SIZE_TYPE: Final = "text/x.tlog.size"
"""Content type of the answer 409, whose body is the size that was cosigned last."""

_OLD: Final = "old "
_WHAT: Final = "add-checkpoint request"


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request, read but not believed.

    Attributes:
        old_size: leaves, 0 to 2**63 - 1.
        proof: consistency proof from there to the checkpoint, 32 bytes each, at most 63.
        note: the signed checkpoint.
    """

    old_size: int
    proof: tuple[bytes, ...]
    note: bytes


def parse_add_checkpoint(data: bytes) -> AddCheckpoint:
    """Read a request; what the note holds is not looked at. Raises FormatError with the line."""
    if len(data) > MAX_REQUEST_BYTES:
        raise FormatError(f"{_WHAT} has {len(data)} bytes, expected at most {MAX_REQUEST_BYTES}")
    head, blank, note = data.partition(b"\n\n")
    if not blank:
        raise FormatError(f"{_WHAT} has no empty line before its checkpoint")
    if not head.isascii():
        raise FormatError(f"{_WHAT} has other than ASCII characters above its checkpoint")
    old, *proof = head.decode("ascii").split("\n", MAX_PROOF + 2)
    if not old.startswith(_OLD):
        raise FormatError(f"{_WHAT} line 1: {old[:60]!r} does not begin with {_OLD!r}")
    if len(proof) > MAX_PROOF:
        raise FormatError(f"{_WHAT} has over {MAX_PROOF} lines of proof")
    old_size = parse_decimal(old.removeprefix(_OLD), what=f"{_WHAT} line 1: old size", most=MAX_SIZE)
    return AddCheckpoint(old_size, tuple(_parse_hash(line, number) for number, line in enumerate(proof, 2)), note)


def format_add_checkpoint(request: AddCheckpoint) -> bytes:
    """The inverse of `parse_add_checkpoint`."""
    lines = [f"{_OLD}{request.old_size}", *map(format_base64, request.proof), "", ""]
    return "\n".join(lines).encode() + request.note


def _parse_hash(line: str, number: int) -> bytes:
    what = f"{_WHAT} line {number}"
    data = parse_base64(line, what=what)
    if len(data) != HASH_SIZE:
        raise FormatError(f"{what} has {len(data)} bytes, expected a hash of {HASH_SIZE}")
    return data


def parse_size(data: bytes) -> int:
    """The body of an answer 409. Raises FormatError."""
    if not data.endswith(b"\n"):
        raise FormatError("size does not end with a newline")
    return parse_decimal(data[:-1].decode("latin-1"), what="size", most=MAX_SIZE)


def format_size(size: int) -> bytes:
    return f"{size}\n".encode()
