"""Path patterns of `wherefrom.toml`, by the rules that people know from `.gitignore`."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A pattern that `matches` tries on a path relative to the project folder, or absolute.

    `*` and `?` stay inside one name, `**` crosses folders, `[abc]` is one of these characters. A pattern without a
    slash matches a name at any depth; what lies below a folder that matches, matches too. `~` is the home folder.
    """
    text = os.path.expanduser(pattern).rstrip("/")  # noqa: PTH111 - text in, text out
    is_anchored = "/" in text
    parts = [_translate(part) for part in text.removeprefix("./").split("/")]
    body = "/".join(parts).replace("\0/", "(?:.*/)?").replace("/\0", "/.*").replace("\0", ".*")
    return re.compile(("" if is_anchored else "(?:.*/)?") + body + "(?:/.*)?", re.DOTALL)


def matches(patterns: Sequence[re.Pattern[str]], *names: str) -> bool:
    """Whether any pattern matches any of a path's names."""
    return any(pattern.fullmatch(name) for pattern in patterns for name in names)


def _translate(part: str) -> str:
    if part == "**":
        return "\0"
    pieces = re.split(r"(\*+|\?|\[[^\]]+\])", part)
    return "".join(_translate_piece(piece) for piece in pieces)


def _translate_piece(piece: str) -> str:
    if piece.startswith("*"):
        return "[^/]*"
    if piece == "?":
        return "[^/]"
    if piece.startswith("[") and piece.endswith("]") and len(piece) > 2:
        inside = piece[1:-1].replace("\\", "\\\\")
        return "[^" + inside[1:] + "]" if inside.startswith("!") else f"[{inside}]"
    return re.escape(piece)
