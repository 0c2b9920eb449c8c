"""Which files a DuckDB statement names, told by its tokens. Pure: the tokens come from DuckDB's own tokenizer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

Token = tuple[str, str]
"""Kind, as DuckDB names it ("keyword", "string_const", "identifier", "operator", …), and text without space around."""

_FILE_FUNCTIONS = re.compile(
    r"(read_\w+|parquet_\w+|sniff_csv|glob|iceberg_\w+|delta_scan|sqlite_scan|st_read|scan_arrow_ipc)", re.IGNORECASE
)
_TABLE_WORDS = {"from", "join"}
_CLAUSES = {"select", "where", "group", "order", "having", "limit", "on", "using", "set", "values", "window", "qualify"}
_CLAUSES |= {"union", "except", "intersect", "to"}


class Mention(NamedTuple):
    """A file in a statement.

    Attributes:
        way: "read", "write" or "update"; "unknown" for a place whose file the text doesn't tell.
        text: path, glob or URL; for "unknown" the name of the function.
    """

    way: str
    text: str
    is_folder: bool = False


def iter_mentions(tokens: Sequence[Token]) -> Iterator[Mention]:
    """The files of one or more statements, in order."""
    start = 0
    for end, token in enumerate([*tokens, ("operator", ";")]):
        if token == ("operator", ";"):
            statement = [token for token in tokens[start:end] if token[0] != "comment"]
            if statement:
                yield from _of_statement(statement)
            start = end + 1


def _of_statement(tokens: list[Token]) -> Iterator[Mention]:
    first = tokens[0][1].lower()
    words = [text.lower() for _, text in tokens]
    if first == "attach":
        way = "read" if "read_only" in words else "update"
        yield from (Mention(way, unquote(text)) for kind, text in tokens[:5] if kind == "string_const")
        return
    if first in {"export", "import"} and words[1:2] == ["database"]:
        way = "write" if first == "export" else "read"
        yield from (Mention(way, unquote(text), is_folder=True) for kind, text in tokens if kind == "string_const")
        return
    depth, is_table = 0, {0: False}
    for place, (kind, text) in enumerate(tokens):
        word = text.lower()
        if text == "(":
            depth += 1
            is_table[depth] = False
            if place and _FILE_FUNCTIONS.fullmatch(tokens[place - 1][1]):
                yield from _of_function(tokens[place - 1][1], tokens[place + 1 :])
        elif text == ")":
            depth = max(0, depth - 1)
        elif kind == "keyword" and word in _TABLE_WORDS:
            is_table[depth] = True
        elif kind == "keyword" and word in _CLAUSES:
            is_table[depth] = False
            if word == "to" and first == "copy" and depth == 0:
                yield from _copied_to(tokens[place + 1 :])
        elif is_table[depth] and words[place - 1] in {*_TABLE_WORDS, ","}:
            is_quoted_name = text.startswith('"') and re.search(r"[./]", text)
            if kind == "string_const" or is_quoted_name:
                yield Mention("read", unquote(text))


def _copied_to(tokens: list[Token]) -> Iterator[Mention]:
    if not tokens or tokens[0][0] != "string_const":
        yield Mention("unknown", "COPY TO")
        return
    words = {text.lower() for _, text in tokens[1:]}
    is_folder = bool(words & {"partition_by", "per_thread_output", "file_size_bytes"})
    yield Mention("write", unquote(tokens[0][1]), is_folder)


def _of_function(name: str, tokens: list[Token]) -> list[Mention]:
    """The first argument: a text, or a list of texts."""
    depth, found = 0, []
    for kind, text in tokens:
        if text in {"[", "("}:
            depth += 1
        elif text in {"]", ")"}:
            depth -= 1
        if depth < 0 or (text == "," and depth == 0):
            break
        if kind == "string_const":
            found.append(Mention("read", unquote(text)))
        elif text not in {"[", "]", ","}:
            return [Mention("unknown", name)]
    return found or [Mention("unknown", name)]


def unquote(text: str) -> str:
    """The value of a quoted text or identifier."""
    quote = text[:1]
    return text[1:-1].replace(quote * 2, quote) if quote in {"'", '"'} else text
