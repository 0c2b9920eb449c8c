"""The words a captured process says to its recorder, and how a pipe keeps them whole.

A message is a JSON object with `do`; what each needs stands in `recorder/book.py`, where it is read. It travels as one
or more frames of at most PIPE_BUF bytes, which POSIX writes whole even when several processes share the pipe:

    <sender> <sequence> <+ or .><part of the JSON text><newline>

`+` says that more parts follow, `.` that this is the last. The sender tells processes apart (process ids come back),
and gives each message its own number, so that one which is read twice, from a spool file and from its writer, counts
once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from wherefrom.errors import FormatError

MIN_FRAME_BYTES = 512
"""PIPE_BUF is at least this on every POSIX system."""


def format_frames(message: dict[str, Any], *, sender: str, sequence: int, frame_bytes: int) -> Iterator[bytes]:
    """The frames of one message, each at most `frame_bytes` long, newline included. Unknown types become their text."""
    text = json.dumps(message, separators=(",", ":"), default=str).encode("ascii")
    head = f"{sender} {sequence} ".encode("ascii")
    room = frame_bytes - len(head) - 2
    last = (len(text) - 1) // room * room
    for start in range(0, last, room):
        yield b"%b+%b\n" % (head, text[start : start + room])
    yield b"%b.%b\n" % (head, text[last:])


class FrameReader:
    """Puts messages together again, each once."""

    def __init__(self) -> None:
        self._parts: dict[tuple[bytes, int], list[bytes]] = {}
        self._seen: dict[bytes, set[int]] = {}

    def feed(self, frame: bytes) -> dict[str, Any] | None:
        """Take one frame without its newline; the message when it is whole and new, else None.

        Raises FormatError for what is no frame, such as the torn last line of a file whose writer was killed.
        """
        try:
            sender, number, rest = frame.split(b" ", 2)
            sequence = int(number)
            mark, part = rest[:1], rest[1:]
        except ValueError as error:
            raise FormatError(f"frame {frame[:60]!r}: expected sender, sequence and text") from error
        parts = self._parts.setdefault((sender, sequence), [])
        parts.append(part)
        if mark == b"+":
            return None
        del self._parts[sender, sequence]
        if mark != b".":
            raise FormatError(f"frame {frame[:60]!r}: expected '+' or '.' before the text")
        seen = self._seen.setdefault(sender, set())
        if sequence in seen:
            return None
        try:
            message = json.loads(b"".join(parts))
        except ValueError as error:
            raise FormatError(f"frame {frame[:60]!r}: its message is no JSON ({error})") from error
        if not isinstance(message, dict) or not isinstance(message.get("do"), str):
            raise FormatError(f"frame {frame[:60]!r}: expected an object with 'do'")
        seen.add(sequence)
        return message
