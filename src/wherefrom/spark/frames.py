"""What this room asks of a Spark DataFrame, and which ones it takes. pyspark itself need not be there to read this."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from wherefrom.errors import FormatError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pyarrow as pa

_HOW_TO_SHIP: Final = "install it where Spark's Python workers run: docs/spark.md"
_SPARK_HAS_NO_PYTHON_TYPE: Final = "CANNOT_PARSE_DATATYPE"

# By the names that Spark's own JSON schemas use. Whatever Spark adds later is refused until somebody has looked at it.
_FLAT_TYPES: Final = frozenset(
    {
        *("void", "boolean", "byte", "short", "integer", "long", "float", "double"),
        *("string", "binary", "date", "timestamp", "timestamp_ntz", "interval"),
    }
)
_FLAT_TYPES_WITH_PARAMETERS: Final = ("decimal(", "char(", "varchar(", "time(", "string collate ", "interval day")
_OTHER_DAY_TIME_INTERVALS: Final = ("interval hour", "interval minute", "interval second")


class DataFrame(Protocol):
    """`pyspark.sql.DataFrame`, as far as it is used."""

    @property
    def isStreaming(self) -> bool: ...  # noqa: N802  # Spark's name
    @property
    def schema(self) -> Any: ...
    @property
    def sparkSession(self) -> Any: ...  # noqa: N802
    def toDF(self, *names: str) -> Self: ...  # noqa: N802
    def select(self, *names: str) -> Self: ...
    def selectExpr(self, *expressions: str) -> Self: ...  # noqa: N802
    def repartition(self, column: str) -> Self: ...
    def sortWithinPartitions(self, *columns: str) -> Self: ...  # noqa: N802
    def groupBy(self, column: str) -> Any: ...  # noqa: N802
    def persist(self) -> Self: ...
    def unpersist(self) -> Self: ...
    def collect(self) -> Sequence[Any]: ...
    def mapInArrow(  # noqa: N802
        self, function: Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]], schema: str
    ) -> Self: ...


def check_frame(df: object) -> None:
    """Raises FormatError for what is no DataFrame of Spark's, or one that never ends."""
    if not hasattr(df, "mapInArrow"):
        raise FormatError(
            f"a {type(df).__module__}.{type(df).__qualname__} is no Spark DataFrame",
            hint="wherefrom.fingerprints.fingerprint_records takes tables that one machine holds",
        )
    if getattr(df, "isStreaming", False):
        raise FormatError(
            "a streaming DataFrame has no fingerprint: its rows have no end", hint="fingerprint what it wrote"
        )


def read_fields(df: DataFrame) -> list[tuple[str, object]]:
    """Names of the columns, which may repeat, and their types as in Spark's JSON schemas."""
    with translated_errors():
        return [(field["name"], field["type"]) for field in df.schema.jsonValue()["fields"]]


def check_types(fields: Iterable[tuple[str, object]]) -> None:
    """Raises FormatError naming the first column that has a type without a canonical form."""
    for name, kind in fields:
        _check_type(kind, path=f"column {name!r}")


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise UnavailableError in place of what Spark raises; its own words are chained."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        text = str(error)
        if "No module named 'wherefrom" in text:
            raise UnavailableError("Spark's workers can't import wherefrom", hint=_HOW_TO_SHIP) from error
        if _SPARK_HAS_NO_PYTHON_TYPE in text:
            raise FormatError(f"the DataFrame has a type that this pyspark can't name: {_gist(text)}") from error
        raise UnavailableError(f"Spark could not read the table: {_gist(text)}") from error


def _check_type(kind: Any, *, path: str) -> None:
    match kind:
        case str():
            if kind not in _FLAT_TYPES and not kind.startswith(
                (*_FLAT_TYPES_WITH_PARAMETERS, *_OTHER_DAY_TIME_INTERVALS)
            ):
                raise FormatError(f"{path}: Spark's type {kind} has no form in wf-records-1")
        case {"type": "struct", "fields": fields}:
            names = [field["name"] for field in fields]
            for name in names:
                if names.count(name) > 1:
                    raise FormatError(f"{path}: two fields are named {name!r}; names must be unique")
            for field in fields:
                _check_type(field["type"], path=f"{path}, field {field['name']!r}")
        case {"type": "array", "elementType": element}:
            _check_type(element, path=path)
        case {"type": "map", "keyType": key, "valueType": value}:
            _check_type(key, path=path)
            _check_type(value, path=path)
        case {"type": "udt", "sqlType": stored}:
            _check_type(stored, path=path)
        case _:
            raise FormatError(f"{path}: Spark's type {kind!r} has no form in wf-records-1")


def _gist(text: str) -> str:
    """The line that says most: the last of a Python traceback, or the last cause of Java's, or the first."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if any(line.startswith("Traceback (") for line in lines):
        return lines[-1]
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    return [*lines[:1], *causes][-1] if lines else "it does not say why"
