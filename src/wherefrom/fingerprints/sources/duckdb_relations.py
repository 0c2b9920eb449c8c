"""DuckDB relations, independent of how the connection is set to hand types over to Arrow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import duckdb
import pyarrow as pa

from wherefrom.errors import FormatError, UnavailableError
from wherefrom.fingerprints.sources.arrow_objects import empty_batch
from wherefrom.fingerprints.sources.base import Table
from wherefrom.fingerprints.sources.messages import first_line

if TYPE_CHECKING:
    from collections.abc import Iterator

# What Arrow has no type for, or DuckDB hands over as opaque bytes or as numbers, as `arrow_lossless_conversion` says.
_READ_AS: Final = {"hugeint": "BIGINT", "uhugeint": "UBIGINT", "uuid": "VARCHAR", "bit": "VARCHAR"}
_REFUSED: Final = {
    "bignum": "has no form in Arrow; cast it to BIGINT, DECIMAL or VARCHAR",
    "varint": "has no form in Arrow; cast it to BIGINT, DECIMAL or VARCHAR",  # what bignum was called
    "time with time zone": "loses its zone in Arrow; cast it to TIME or VARCHAR",
    "union": "has no form in wf-records-1; cast it to VARCHAR, or take its members",
    "variant": "has no form in wf-records-1; cast it to a type that its values have",
}


def open_duckdb(relation: duckdb.DuckDBPyRelation) -> Table:
    """Run the relation, in batches; a FormatError names a column whose type can't be handed over whole."""
    columns = list(zip(relation.columns, relation.types, strict=True))
    targets = [_target(name, kind) for name, kind in columns]
    if any(target is not None for target in targets):
        expressions = (
            _quote(name) if target is None else f"CAST({_quote(name)} AS {target}) AS {_quote(name)}"
            for (name, _), target in zip(columns, targets, strict=True)
        )
        relation = relation.project(", ".join(expressions))
    return Table(lambda: _iter_batches(relation), None)


def _iter_batches(relation: duckdb.DuckDBPyRelation) -> Iterator[pa.RecordBatch]:
    try:
        with pa.RecordBatchReader.from_stream(relation) as reader:
            yield empty_batch(reader.schema)
            yield from reader
    except duckdb.ConversionException as error:
        raise FormatError(f"the DuckDB relation: {first_line(error)}") from error
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise UnavailableError(f"the DuckDB relation could not be run: {first_line(error)}") from error


def _target(name: str, kind: Any) -> str | None:
    """The type to read a column as, in SQL; None to leave it as it is."""
    try:
        return _rewrite(kind)
    except FormatError as error:
        raise FormatError(f"column {name!r} of type {kind}: {error}") from error


def _rewrite(kind: Any) -> str | None:
    if kind.id in _REFUSED:
        raise FormatError(f"{kind.id.upper()} {_REFUSED[kind.id]}")
    if kind.id in _READ_AS:
        return _READ_AS[kind.id]
    if kind.id not in {"list", "array", "struct", "map"}:
        return None
    # DuckDB counts an array's size among its children.
    children = [(name, child) for name, child in kind.children if not isinstance(child, int)]
    inner = [(name, _rewrite(child), str(child)) for name, child in children]
    if all(target is None for _, target, _ in inner):
        return None
    types = [target or same for _, target, same in inner]
    match kind.id:
        case "list":
            return f"{types[0]}[]"
        case "array":
            return f"{types[0]}[{dict(kind.children)['size']}]"
        case "map":
            return f"MAP({types[0]}, {types[1]})"
        case _:
            fields = (f"{_quote(name)} {target}" for (name, _, _), target in zip(inner, types, strict=True))
            return f"STRUCT({', '.join(fields)})"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
