"""Checkpoints: a log's origin, size and root hash, as the text of a signed note. Source: C2SP tlog-checkpoint.

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from wherefrom.errors import FormatError
from wherefrom.notes.strict import format_base64, parse_base64, parse_decimal

MAX_SIZE: Final = 2**63 - 1
"""Leaves in a log, at most: what a signed 64-bit integer holds, as in SQL and in Go's tlog."""

_NOT_IN_LINES: Final = re.compile("[\x00-\x1f\ud800-\udfff]")
_ROOT_SIZE: Final = 32
_EMPTY_ROOT: Final = sha256().digest()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log: `size` leaves (0 to 2**63 - 1) under `root` (32 bytes).

    `extensions` are lines that the log adds; we write none, and give them no meaning. Raises FormatError: a line that
    is empty or has a control character, a number out of range, or another root of no leaves than the empty tree's.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_line(self.origin, what="checkpoint origin")
        if not 0 <= self.size <= MAX_SIZE:
            raise FormatError(f"checkpoint size {self.size} is not between 0 and {MAX_SIZE}")
        if len(self.root) != _ROOT_SIZE:
            raise FormatError(f"checkpoint root hash has {len(self.root)} bytes, expected {_ROOT_SIZE}")
        if self.size == 0 and self.root != _EMPTY_ROOT:
            raise FormatError(
                f"checkpoint of size 0 has root {self.root.hex()}, the empty tree has {_EMPTY_ROOT.hex()}"
            )
        for number, line in enumerate(self.extensions, start=4):
            _check_line(line, what=f"checkpoint line {number}")


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a note, signatures taken off. Raises FormatError with the line."""
    *lines, rest = text.split("\n")
    if rest:
        raise FormatError("checkpoint does not end with a newline")
    if len(lines) < 3:
        raise FormatError(f"checkpoint has {len(lines)} lines, expected origin, size and root hash")
    origin, size, root, *extensions = lines
    return Checkpoint(
        origin,
        parse_decimal(size, what="checkpoint line 2: tree size", most=MAX_SIZE),
        parse_base64(root, what="checkpoint line 3: root hash"),
        tuple(extensions),
    )


def format_checkpoint(checkpoint: Checkpoint) -> str:
    """The inverse of `parse_checkpoint`: at least three lines, each with its newline."""
    lines = (checkpoint.origin, str(checkpoint.size), format_base64(checkpoint.root), *checkpoint.extensions)
    return "".join(f"{line}\n" for line in lines)


def _check_line(line: str, *, what: str) -> None:
    if not line or _NOT_IN_LINES.search(line):
        raise FormatError(f"{what} {line!r} is empty or has a control character")
