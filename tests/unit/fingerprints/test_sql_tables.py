import datetime
import decimal
import sqlite3
import uuid

import adbc_driver_sqlite.dbapi
import pyarrow as pa
import pytest
import sqlalchemy as sa

from wherefrom.errors import FormatError, NotFoundError, UnavailableError
from wherefrom.fingerprints import fingerprint_records, sql_table
from wherefrom.fingerprints.sources import open_table, sql_tables

TABLE = pa.table({"id": [3, 1, 2], "na me": ["c", "a", None], "ratio": [0.5, None, 2.0], "raw": [b"x", b"", None]})


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "shop.db"
    connection = sqlite3.connect(path)
    connection.execute('CREATE TABLE orders (id INTEGER, "na me" TEXT, ratio REAL, raw BLOB)')
    connection.executemany(
        "INSERT INTO orders VALUES (?, ?, ?, ?)", list(zip(*TABLE.to_pydict().values(), strict=True))
    )
    connection.execute("CREATE VIEW big AS SELECT * FROM orders WHERE id > 1")
    connection.execute("CREATE TABLE empty (id INTEGER)")
    connection.commit()
    connection.close()
    return path


@pytest.fixture
def url(path):
    return f"sqlite:///{path}"


def same(*sources):
    return len({fingerprint_records(source).id for source in sources}) == 1


def test_urls_engines_connections_and_adbc_lead_to_one_table(path, url):
    engine = sa.create_engine(url)
    with engine.connect() as connection, adbc_driver_sqlite.dbapi.connect(str(path)) as adbc:
        for database in (url, sa.make_url(url), engine, connection, adbc):
            assert same(sql_table(database, table="orders"), TABLE)
            assert same(sql_table(database, query="SELECT * FROM orders ORDER BY id"), TABLE)
            assert same(sql_table(database, table="big"), TABLE.take([0, 2]))
    engine.dispose()


def test_what_was_read_stands_beside_the_fingerprint(path, url):
    assert fingerprint_records(sql_table(url, table="orders", schema="main")).read_options == {
        "format": "sql",
        "dialect": "sqlite",
        "schema": "main",
        "table": "orders",
    }
    query = "SELECT id, ':x' || '%s' AS b FROM orders"
    whole = fingerprint_records(sql_table(url, query=query))
    assert whole.read_options == {"format": "sql", "dialect": "sqlite", "query": query}
    assert same(sql_table(url, query=query), pa.table({"id": [3, 1, 2], "b": [":x%s"] * 3}))
    with adbc_driver_sqlite.dbapi.connect(str(path)) as adbc:
        assert open_table(sql_table(adbc, query=query)).read_options == whole.read_options


def test_rows_come_in_batches_and_empty_tables_have_columns(url, monkeypatch):
    monkeypatch.setattr(sql_tables, "_BATCH_ROWS", 2)
    sizes = [batch.num_rows for batch in open_table(sql_table(url, table="orders")).iter_batches()]
    assert sizes == [0, 2, 1]
    assert [column.name for column in fingerprint_records(sql_table(url, table="empty")).columns] == ["id"]


def test_a_sequence_needs_a_query_that_orders(url):
    ordered = sql_table(url, query="SELECT * FROM orders ORDER BY id")
    want = fingerprint_records(TABLE.sort_by("id"), order="sequence")
    assert fingerprint_records(ordered, order="sequence").id == want.id
    with pytest.raises(FormatError, match=r"shop\.db' has no order of rows, and so no sequence"):
        fingerprint_records(sql_table(url, table="orders"), order="sequence")


def test_a_caller_s_transaction_is_left_as_it_is(url):
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        connection.execute(sa.text("INSERT INTO empty VALUES (7)"))
        assert same(sql_table(connection, table="empty"), pa.table({"id": [7]}))
        assert same(sql_table(url, table="empty"), pa.table({"id": pa.nulls(0)}))
        connection.rollback()
        assert fingerprint_records(sql_table(connection, table="empty")).rows == 0
    engine.dispose()


def test_values_of_drivers_are_their_logical_types():
    identifier = uuid.UUID(int=1)
    rows = [
        (
            decimal.Decimal("1.50"),
            datetime.date(2020, 1, 1),
            memoryview(b"x"),
            identifier,
            float("nan"),
            [1],
            {"k": "v"},
        ),
        (None,) * 7,
    ]
    batch = sql_tables._to_batch(list("abcdefg"), rows, "shop")
    want = {
        "a": [decimal.Decimal("1.50"), None],
        "b": [datetime.date(2020, 1, 1), None],
        "c": [b"x", None],
        "d": [str(identifier), None],
        "e": [float("nan"), None],
        "f": [[1], None],
        "g": [{"k": "v"}, None],
    }
    assert same(batch, pa.table(want))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT 1 AS a UNION ALL SELECT 'x'", "column 'a': holds Python objects of types int, str, expected one type"),
        ("SELECT 1 AS a, 2 AS a", "two columns are named 'a'"),
    ],
)
def test_columns_without_a_type_or_a_name_of_their_own_are_refused(url, query, message):
    with pytest.raises(FormatError, match=message):
        fingerprint_records(sql_table(url, query=query))


def test_a_database_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(NotFoundError, match=r"no database at '.*none\.db'"):
        fingerprint_records(sql_table(f"sqlite:///{tmp_path}/none.db", table="a"))
    assert not list(tmp_path.iterdir())


def test_an_unknown_table_is_named_with_those_that_are_there(url):
    with pytest.raises(
        NotFoundError, match=r"no table 'none' in 'sqlite:.*shop\.db'; there are 'big', 'empty', 'orders'"
    ):
        fingerprint_records(sql_table(url, table="none"))


def test_a_query_that_fails_says_so(path, url):
    for database in (url, adbc_driver_sqlite.dbapi.connect(str(path))):
        with pytest.raises(UnavailableError, match=r"could not be read: .*no such column"):
            fingerprint_records(sql_table(database, query="SELECT none FROM orders"))
        if database is not url:
            database.close()


def test_passwords_are_in_no_message_and_no_option(monkeypatch):
    engine = sa.create_engine("sqlite://")
    monkeypatch.setattr(engine, "url", sa.make_url("postgresql://ann:secret@db/shop"))
    table = open_table(sql_table(engine, query="SELECT none"))
    assert "secret" not in f"{table.name} {table.read_options}"
    with pytest.raises(UnavailableError) as caught:
        list(table.iter_batches())
    assert "postgresql://ann:***@db/shop" in str(caught.value)
    with pytest.raises(FormatError) as refused:
        open_table(sql_table("nothing://ann:secret@db/shop:x", query="SELECT 1"))
    assert "secret" not in str(refused.value)
    engine.dispose()


def test_wrong_calls_say_what_was_expected(url):
    for wrong in ({}, {"table": "a", "query": "SELECT 1"}):
        with pytest.raises(FormatError, match="expected exactly one of them"):
            sql_table(url, **wrong)
    with pytest.raises(FormatError, match="goes with a table"):
        sql_table(url, query="SELECT 1", schema="main")
    with pytest.raises(FormatError, match="the database is a int, expected an SQLAlchemy URL"):
        fingerprint_records(sql_table(3, table="a"))
