"""What a source of rows is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    import pyarrow as pa


class Reread(Exception):  # noqa: N818  # control flow inside this room, not an error anybody sees
    """What was read so far is to be thrown away: `Table.iter_batches` knows better now, and starts again."""


def _read_none(names: Collection[str]) -> Iterator[pa.RecordBatch]:
    raise AssertionError(f"a table without portions was asked for {sorted(names)}")


@dataclass(frozen=True, slots=True)
class Portion:
    """One of the files of a table, in the version that it has."""

    name: str
    """Unique in the table, the same wherever the table's folder lies."""
    state: Mapping[str, object]
    """JSON that differs when the file was written again, or its rows are read differently."""
    changed_ns: int
    """When the file changed last."""
    rows: int


@dataclass(frozen=True, slots=True)
class Table:
    """A table that can be read."""

    iter_batches: Callable[[], Iterator[pa.RecordBatch]]
    """Yields at least one batch, which may be empty, so that the columns are known. May raise `Reread`."""
    rows: int | None
    """None when only reading tells."""
    name: str | None = None
    """Path, URL or the like, for messages; None for objects in memory."""
    read_options: Mapping[str, object] | None = None
    """How the source was read, and which version of it; JSON without floats, secrets or integers beyond 2^53."""
    has_order: bool = True
    """Whether reading again gives the rows in the same order."""
    portions: Sequence[Portion] = ()
    """The files whose rows are those of the table, where they can be read one by one; none where they can't."""
    read_portions: Callable[[Collection[str]], Iterator[pa.RecordBatch]] = _read_none
    """`iter_batches` for the rows of some of them, by name."""
