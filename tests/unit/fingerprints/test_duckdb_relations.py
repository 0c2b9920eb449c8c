import duckdb
import polars as pl
import pyarrow as pa
import pytest

from wherefrom.errors import FormatError, UnavailableError
from wherefrom.fingerprints import fingerprint_records


@pytest.fixture
def connection():
    with duckdb.connect() as connection:
        yield connection


def same(*sources):
    return len({fingerprint_records(source).id for source in sources}) == 1


def types(source):
    return {column.name: str(column.type) for column in fingerprint_records(source).columns}


FLAT = """
    SELECT 1::TINYINT AS small, 1::HUGEINT AS huge, 1::UHUGEINT AS huge_unsigned, 1.50::DECIMAL(30, 2) AS price,
        'a'::ENUM('a', 'b') AS choice, '8f14e45f-ceea-467f-a0e6-e5a3c1f3d2b1'::UUID AS id, '101'::BIT AS bits,
        'x'::BLOB AS data, '{"a": 1}'::JSON AS doc, DATE '2020-01-01' AS day, TIME '10:00' AS hour,
        TIMESTAMP_S '2020-01-01' AS at_s, TIMESTAMP_NS '2020-01-01 00:00:00.000000001' AS at_ns,
        TIMESTAMPTZ '2020-01-01 00:00:00+00' AS moment, INTERVAL 1 MONTH AS span, NULL AS nothing
"""
NESTED = """
    SELECT MAP {'k': 1::HUGEINT} AS counts, [1, 2] AS list, [1::UHUGEINT, NULL]::UHUGEINT[2] AS pair,
        {'a "b"': 1::HUGEINT, 'c': ['101'::BIT]} AS parts
"""


def test_each_type_is_its_logical_type(connection):
    assert types(connection.sql(FLAT)) == {
        "small": "number",
        "huge": "number",
        "huge_unsigned": "number",
        "price": "decimal",
        "choice": "text",
        "id": "text",
        "bits": "text",
        "data": "binary",
        "doc": "text",
        "day": "date",
        "hour": "time",
        "at_s": "datetime",
        "at_ns": "datetime",
        "moment": "instant",
        "span": "interval",
        "nothing": "null",
    }
    assert types(connection.sql(NESTED)) == {
        "counts": "map<text, number>",
        "list": "list<number>",
        "pair": "list<number>",
        "parts": 'struct<a "b": number, c: list<text>>',
    }


def test_values_are_those_of_other_libraries(connection):
    assert same(
        connection.sql("SELECT sum(x) AS total, '101'::BIT AS bits FROM (VALUES (1), (2)) AS v(x)"),
        pa.table({"total": [3], "bits": ["101"]}),
        pl.DataFrame({"total": pl.Series([3], dtype=pl.Int128), "bits": ["101"]}),
    )


@pytest.mark.parametrize("query", [FLAT, NESTED])
def test_settings_of_the_connection_do_not_matter(connection, query):
    want = fingerprint_records(connection.sql(query)).id
    connection.execute("SET arrow_lossless_conversion = true; SET TimeZone = 'Asia/Kolkata'")
    connection.execute("SET produce_arrow_string_view = true; SET arrow_large_buffer_size = true")
    assert fingerprint_records(connection.sql(query)).id == want


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("TIMETZ '10:00:00+01'", "column 'a' of type TIME WITH TIME ZONE: .* loses its zone"),
        ("union_value(n := 2)", r"column 'a' of type UNION\(n INTEGER\): UNION has no form"),
        ("[union_value(n := 2)]", "column 'a' of type .*: UNION has no form"),
        ("1::BIGNUM", "column 'a' of type BIGNUM: .* cast it to"),
        ("18446744073709551616::HUGEINT", "out of range for the destination type INT64"),
    ],
)
def test_what_arrow_would_not_hand_over_whole_is_refused(connection, value, message):
    with pytest.raises(FormatError, match=message):
        fingerprint_records(connection.sql(f"SELECT {value} AS a"))


def test_a_relation_is_run_in_batches_and_order_does_not_matter(connection):
    query = "SELECT range AS a, range % 7 AS b FROM range(300000)"
    assert same(connection.sql(query), connection.sql(f"{query} ORDER BY b DESC"))
    assert fingerprint_records(connection.sql(query).filter("a < 0")).rows == 0
    assert types(connection.sql(query).filter("a < 0")) == {"a": "null", "b": "null"}


def test_a_query_that_fails_says_so(connection):
    with pytest.raises(UnavailableError, match=r"the DuckDB relation could not be run: .*boom"):
        fingerprint_records(connection.sql("SELECT error('boom') AS a FROM range(10)"))
