"""DuckDB: database files, files named in SQL, readers and writers of the Python API."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from wherefrom.capture.datasets import note_paths
from wherefrom.capture.journal import Journal
from wherefrom.capture.native.duckdb_sql import Mention, Token, iter_mentions
from wherefrom.capture.native.points import listen, listen_to_functions, reads, writes
from wherefrom.capture.wrap import Before, argument

_READERS = {"read_csv": "path_or_buffer", "from_csv_auto": "path_or_buffer", "read_json": "path_or_buffer"}
_READERS |= {"read_parquet": "file_glob", "from_parquet": "file_glob"}
_WRITERS = ("to_csv", "write_csv", "to_parquet", "write_parquet")
_QUERIES = ("execute", "executemany", "sql", "query", "from_query", "query_df", "query_appender")
_IN_MEMORY = (":memory:", ":default:")


def patch(duckdb: ModuleType) -> None:
    connection, relation = duckdb.DuckDBPyConnection, duckdb.DuckDBPyRelation
    points = [(name, reads(f"duckdb.{name}", 0, argument_name)) for name, argument_name in _READERS.items()]
    points += [(name, _runs(duckdb, f"duckdb.{name}", 0)) for name in _QUERIES]
    points += [("connect", _connects), ("write_csv", writes("duckdb.write_csv", 1, "filename"))]
    listen_to_functions(duckdb, points)
    for name, argument_name in _READERS.items():
        listen(connection, f"duckdb.{name}", name, reads(f"duckdb.{name}", 1, argument_name))
    for name in _QUERIES:
        listen(connection, f"duckdb.{name}", name, _runs(duckdb, f"duckdb.{name}", 1))
    for name in _WRITERS:
        listen(relation, f"duckdb.{name}", name, writes(f"duckdb.{name}", 1, "file_name"))
    listen(relation, "duckdb.query", "query", _runs(duckdb, "duckdb.query", 2, "sql_query"))


def _connects(journal: Journal, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    database = argument(args, kwargs, 0, "database", ":memory:")
    if not database or str(database).startswith(_IN_MEMORY):
        return
    if str(database).startswith(("md:", "motherduck:")):
        journal.gap("remote data", "what was read from it and written to it was not seen", str(database))
        return
    way = "read" if argument(args, kwargs, 1, "read_only", default=False) else "update"
    note_paths(journal, database, way=way, via="duckdb.connect")


def _runs(duckdb: ModuleType, via: str, position: int, name: str = "query") -> Before:
    def note(journal: Journal, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        query = argument(args, kwargs, position, name)
        text = query if isinstance(query, str) else getattr(query, "query", None)
        if not isinstance(text, str):
            return
        parameters = argument(args, kwargs, position + 1, "parameters") or argument(args, kwargs, 99, "params")
        for mention in iter_mentions(_tokens(duckdb, text)):
            _note(journal, mention, via, parameters)

    return note


def _note(journal: Journal, mention: Mention, via: str, parameters: Any) -> None:
    if mention.way != "unknown":
        note_paths(journal, mention.text, way=mention.way, via=via, is_folder=mention.is_folder)
        return
    given = list(parameters.values()) if isinstance(parameters, dict) else parameters
    texts = [value for value in given if isinstance(value, str)] if isinstance(given, list | tuple) else []
    if texts and mention.text != "COPY TO":
        note_paths(journal, texts, way="read", via=via)
    else:
        journal.gap("not seen", f"{via}: which file {mention.text} used is not in the text of the statement")


def _tokens(duckdb: ModuleType, text: str) -> list[Token]:
    raw = text.encode()
    found = duckdb.tokenize(text)
    ends = [*[at for at, _ in found], len(raw)][1:]
    return [(kind.name, raw[at:end].decode().strip()) for (at, kind), end in zip(found, ends, strict=True)]
