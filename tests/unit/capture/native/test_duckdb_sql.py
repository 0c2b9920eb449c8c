import duckdb
import pytest

from wherefrom.capture.native.duckdb_io import _tokens
from wherefrom.capture.native.duckdb_sql import Mention, iter_mentions, unquote


def mentions(sql):
    return [(m.way, m.text) for m in iter_mentions(_tokens(duckdb, sql))]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select 1", []),
        ("", []),
        (";;", []),
        ("select * from 't.parquet'", [("read", "t.parquet")]),
        ("from 't.csv' select a", [("read", "t.csv")]),
        ("SELECT * FROM 'a.csv' JOIN 'b.parquet' USING (x)", [("read", "a.csv"), ("read", "b.parquet")]),
        ("select * from 'a.csv' x, 'b.csv' y", [("read", "a.csv"), ("read", "b.csv")]),
        ('select * from "dir/t.parquet"', [("read", "dir/t.parquet")]),
        ('select * from "a table"', []),
        ("select * from t where name = 'data.csv'", []),
        ("select 'a.csv', 'b.csv' from t", []),
        ("select * from t where x in ('a.csv', 'b.csv')", []),
        ("select * from t order by 'a.csv', 'b.csv'", []),
        ("select * from read_csv('a.csv', delim = ';')", [("read", "a.csv")]),
        ("select * from read_csv_auto(['a.csv', 'b.csv'], header=true)", [("read", "a.csv"), ("read", "b.csv")]),
        ("select count(*) from READ_PARQUET('part-*.parquet')", [("read", "part-*.parquet")]),
        ("select * from read_json('x.json') where a = 'y.json'", [("read", "x.json")]),
        ("select * from parquet_scan('s3://b/k')", [("read", "s3://b/k")]),
        (
            "with c as (select * from 'a.csv') select * from c join 'b.csv' on true",
            [("read", "a.csv"), ("read", "b.csv")],
        ),
        ("select * from (select * from 'a.csv') s", [("read", "a.csv")]),
        ("select (select max(x) from 'a.csv') from 'b.csv'", [("read", "a.csv"), ("read", "b.csv")]),
        ("select * from 'a.csv' union all select 'x.csv' from 'b.csv'", [("read", "a.csv"), ("read", "b.csv")]),
        ("copy (select * from 'a.csv') to 'o.parquet' (format parquet)", [("read", "a.csv"), ("write", "o.parquet")]),
        ("copy t to 'o.csv'", [("write", "o.csv")]),
        ("copy t from 'i.csv'", [("read", "i.csv")]),
        ("create table z as select * from 't.csv'", [("read", "t.csv")]),
        ("create view v as from 't.csv'", [("read", "t.csv")]),
        ("insert into foo select * from read_csv('t.csv')", [("read", "t.csv")]),
        ("attach 'x.duckdb' as y", [("update", "x.duckdb")]),
        ("attach if not exists 'x.duckdb' as y", [("update", "x.duckdb")]),
        ("attach database 'x.duckdb' as y (read_only)", [("read", "x.duckdb")]),
        ("export database 'dir'", [("write", "dir")]),
        ("import database 'dir'", [("read", "dir")]),
        ("select * from 'a.csv'; copy t to 'b.csv'", [("read", "a.csv"), ("write", "b.csv")]),
        ("select 'é' from 'ü.parquet' -- from 'no.csv'\n", [("read", "ü.parquet")]),
        ("select /* from 'no.csv' */ 1", []),
        ("select * from 'it''s.csv'", [("read", "it's.csv")]),
        ("select * from read_csv(?)", [("unknown", "read_csv")]),
        ("select * from read_csv($1, header=true)", [("unknown", "read_csv")]),
        ("select * from read_csv('a' || '.csv')", [("unknown", "read_csv")]),
        ("select * from read_parquet(getvariable('x'))", [("unknown", "read_parquet")]),
        ("copy t to getvariable('x')", [("unknown", "COPY TO")]),
    ],
)
def test_files_are_found_where_sql_names_them_and_nowhere_else(sql, expected):
    assert mentions(sql) == expected


@pytest.mark.parametrize(
    ("sql", "is_folder"),
    [
        ("copy t to 'out' (format parquet, partition_by (year))", True),
        ("copy t to 'out.parquet' (format parquet)", False),
        ("export database 'dir'", True),
    ],
)
def test_what_is_written_as_a_folder(sql, is_folder):
    [mention] = iter_mentions(_tokens(duckdb, sql))
    assert mention.is_folder is is_folder


def test_every_found_file_is_one_that_duckdb_itself_would_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    duckdb.sql("copy (select 1 a) to 'a.csv'")
    duckdb.sql("copy (select 1 a) to 'b.parquet'")
    sql = "with c as (select a from 'a.csv') select c.a from c, \"b.parquet\" b"
    assert {text for _, text in mentions(sql)} == set(duckdb.default_connection().get_table_names(sql))


def test_unquoting():
    assert unquote("'a''b'") == "a'b"
    assert unquote('"a""b"') == 'a"b'
    assert unquote("plain") == "plain"
    assert Mention("read", "x") == ("read", "x", False)
