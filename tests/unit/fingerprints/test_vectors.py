"""tests/vectors/fingerprints, run by both implementations: what another language runs too."""

import json
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from tests.reference import make_vectors, wf_files, wf_records

from wherefrom.commitments.forms import text_form, url_form
from wherefrom.commitments.secret import ROW
from wherefrom.commitments.values import leaf_of
from wherefrom.errors import FormatError
from wherefrom.fingerprints import (
    FileEntry,
    Key,
    Secret,
    fingerprint_entries,
    fingerprint_files,
    fingerprint_records,
    records,
)
from wherefrom.fingerprints.cells import cells_of
from wherefrom.fingerprints.packing import pack
from wherefrom.fingerprints.sources import Table

RECORDS, SOURCES, FILES = (
    json.loads((make_vectors.FOLDER / name).read_text(encoding="utf-8"))
    for name in ("records.json", "sources.json", "files.json")
)


def named(cases):
    return [pytest.param(case, id=case["desc"]) for case in cases]


def arrow_value(value):
    """One value as an array of a type that holds it; each row may have another, as the parts of a folder may."""
    match value:
        case None:
            return pa.nulls(1)
        case bool():
            return pa.array([value])
        case {"int": digits}:
            kind = pa.uint64() if int(digits) >= 2**63 else pa.int64()
            return pa.array([int(digits)], kind)
        case {"float": bits}:
            return pa.array(np.frombuffer(bytes.fromhex(bits), ">f8").astype("f8"))
        case {"decimal": digits}:
            return pa.array([Decimal(digits)])
        case {"text": text}:
            return pa.array([text])
        case {"binary": digits}:
            return pa.array([bytes.fromhex(digits)])
        case {"date": days}:
            return pa.array([int(days) * 86_400_000], pa.int64()).view(pa.date64())
        case {"time": nanoseconds}:
            return pa.array([int(nanoseconds)], pa.time64("ns"))
        case {"datetime": _} | {"instant": _} | {"duration": _}:
            return arrow_seconds(value)
        case {"interval": parts}:
            return pa.array([tuple(map(int, parts))], pa.month_day_nano_interval())
        case {"list": values}:
            elements = arrow_column(values)
            return pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), elements)
        case {"struct": fields}:
            if not fields:
                return pa.Array.from_buffers(pa.struct([]), 1, [None])
            return pa.StructArray.from_arrays([arrow_value(field) for field in fields.values()], names=list(fields))
        case {"map": entries}:
            keys, items = arrow_column([key for key, _ in entries]), arrow_column([item for _, item in entries])
            return pa.MapArray.from_arrays(pa.array([0, len(entries)], pa.int32()), keys, items)
    raise AssertionError(value)


def arrow_seconds(value):
    ((kind, (seconds, nanoseconds)),) = value.items()
    make = {"datetime": pa.timestamp, "instant": lambda unit: pa.timestamp(unit, "UTC"), "duration": pa.duration}[kind]
    unit, per_second = ("s", 1) if nanoseconds == "0" else ("ns", 10**9)
    total = int(seconds) * per_second + int(nanoseconds) * per_second // 10**9
    return pa.array([total], pa.int64()).view(make(unit))


def arrow_column(values):
    """Values in one array of a type that holds them all."""
    tables = [pa.table({"value": arrow_value(value)}) for value in values]
    if not tables:
        return pa.nulls(0)
    return pa.concat_tables(tables, promote_options="permissive")["value"].combine_chunks()


def iter_rows(columns, rows=None):
    """One batch for each row."""
    names = [column["name"] for column in columns]
    count = len(columns[0]["values"]) if columns else rows
    yield pa.RecordBatch.from_arrays([pa.nulls(0) for _ in names], names=names)
    for index in range(count):
        arrays = [arrow_value(column["values"][index]) for column in columns]
        if arrays:
            yield pa.RecordBatch.from_arrays(arrays, names=names)
        else:
            yield pa.RecordBatch.from_struct_array(pa.Array.from_buffers(pa.struct([]), 1, [None]))


@pytest.fixture
def fingerprint(monkeypatch):
    def run(columns, rows=None, keys=(), **options):
        table = Table(lambda: iter_rows(columns, rows), None)
        monkeypatch.setattr("wherefrom.fingerprints.sources.open_table", lambda *_, **__: table)
        return records.fingerprint_with_keys(None, keys=[as_key(key) for key in keys], **options)

    return run


def as_key(key):
    return Key(tuple(key["columns"]), key.get("form", "exact"))


def options(case):
    secret = Secret(bytes.fromhex(case["secret"])) if "secret" in case else None
    return {"order": case.get("order", "sorted"), "secret": secret}


def reference_id(columns, case=()):
    how = make_vectors.options(dict(case))
    return wf_records.identifier(wf_records.identity(make_vectors.as_table(columns), **how))


@pytest.mark.parametrize("name", make_vectors.VECTORS)
def test_the_files_are_what_the_reference_computes(name):
    written = json.loads((make_vectors.FOLDER / name).read_text(encoding="utf-8"))
    assert written == json.loads(json.dumps(make_vectors.VECTORS[name]()))


@pytest.mark.parametrize("case", named(RECORDS["tables"]))
def test_a_table_goes_step_by_step_to_its_id(case, fingerprint):
    want = case["want"]
    names = sorted((column["name"] for column in case["columns"]), key=str.encode)
    by_name = {column["name"]: column["values"] for column in case["columns"]}
    for index, row in enumerate(want["rows"]):
        cells = [cells_of(arrow_value(by_name[name][index])) for name in names]
        assert pack(cells, count=1).data.tobytes().hex() == row

    how = options(case)
    leaf_hashes = [
        leaf_of(bytes.fromhex(row), salt=how["secret"] and how["secret"].salt_of(bytes.fromhex(row), ROW)).hex()
        for row in want["rows"]
    ]
    assert (sorted(leaf_hashes) if how["order"] == "sorted" else leaf_hashes) == want["leaf_hashes"]

    whole, commitments = fingerprint(case["columns"], case.get("rows"), case.get("keys", ()), **how)
    assert whole.to_json() == want["identity"]
    assert whole.id == want["id"]
    found = [{"identity": item.to_json(), "id": item.id} for item in commitments]
    assert found == [{"identity": item["identity"], "id": item["id"]} for item in want.get("keys", [])]
    for item in [whole, *commitments]:
        assert type(item).from_json(item.to_json()) == item


@pytest.mark.parametrize("case", named(RECORDS["equal"]))
def test_these_tables_are_one(case, fingerprint):
    one, other = case["columns"]
    assert one != other
    ids = {fingerprint(columns, **options(case))[0].id for columns in (one, other)}
    assert ids == {reference_id(one, case)} == {reference_id(other, case)}


@pytest.mark.parametrize("case", named(RECORDS["different"]))
def test_these_tables_are_two(case, fingerprint):
    one, other = case["columns"]
    for columns in (one, other):
        assert fingerprint(columns, **options(case))[0].id == reference_id(columns, case)
    assert reference_id(one, case) != reference_id(other, case)


@pytest.mark.parametrize("case", named(RECORDS["refused"]))
def test_these_tables_are_refused(case, fingerprint):
    # Integers of more than 64 bits and names that are not UTF-8 don't come as far as us: Arrow can't hold them.
    with pytest.raises((FormatError, OverflowError, UnicodeEncodeError)):
        fingerprint(case["columns"])
    if case["desc"] != "65 levels":  # the reference sets no limit
        with pytest.raises(ValueError):  # the reference has one error for all
            reference_id(case["columns"])


@pytest.mark.parametrize("case", RECORDS["forms"], ids=lambda case: ascii(f"{case['form']} {case['text']}"))
def test_a_form_makes_of_a_value_what_the_vectors_say(case):
    for form in ({"text": text_form, "url": url_form}[case["form"]], getattr(wf_records, f"{case['form']}_form")):
        if case["want"] is None:
            with pytest.raises(ValueError):  # FormatError is one; the reference has one error for all
                form(case["text"])
        else:
            assert form(case["text"]) == case["want"]


@pytest.mark.parametrize("case", named(RECORDS["refused_keys"]))
def test_these_keys_are_refused(case, fingerprint):
    assert fingerprint(case["columns"])[0].rows == len(case["columns"][0]["values"])
    with pytest.raises(FormatError):
        fingerprint(case["columns"], keys=[case["key"]])
    with pytest.raises(ValueError):
        wf_records.key_identity(make_vectors.as_table(case["columns"]), case["key"]["columns"], case["key"]["form"])


@pytest.mark.parametrize("case", named(RECORDS["secrets"]))
def test_a_secret_reads_as_the_vectors_say(case, tmp_path):
    path = tmp_path / "secret"
    path.write_text(case["text"], encoding="ascii")
    if case["want"] is None:
        with pytest.raises(FormatError, match=r"is not a secret: expected one line 'wf-secret-1:'"):
            Secret.read(path)
    else:
        secret = Secret.read(path)
        assert secret.key.hex() == case["want"]["secret"]
        assert secret.scheme == case["want"]["salt"]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_text_files_mean_the_tables_that_the_vectors_say(suffix, tmp_path):
    for case in SOURCES[suffix]:
        path = tmp_path / f"table.{suffix}"
        path.write_bytes(case["content"].encode())
        assert fingerprint_records(path).id == case["want"]["id"], case["desc"]
        columns = case["want"]["columns"]
        assert [column.name for column in fingerprint_records(path).columns] == [column["name"] for column in columns]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_text_files_that_are_no_tables_are_refused_with_the_line(suffix, tmp_path):
    for case in SOURCES["refused"][suffix]:
        path = tmp_path / f"table.{suffix}"
        path.write_bytes(case["content"].encode())
        with pytest.raises(FormatError) as caught:
            fingerprint_records(path)
        assert case["message"] in str(caught.value), case["desc"]
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("case", named(FILES["files"]))
def test_files_go_step_by_step_to_their_id(case, tmp_path):
    contents = {path: bytes.fromhex(content) for path, content in case["files"].items()}
    entries = [FileEntry(path, len(content), wf_records.sha256(content)) for path, content in contents.items()]
    in_order = sorted(entries, key=lambda entry: entry.path.encode())
    assert [entry.to_bytes().hex() for entry in in_order] == case["want"]["entries"]
    assert fingerprint_entries(entries).to_json() == case["want"]["identity"]
    if {"a", "a/b"} <= contents.keys():  # no file system holds both
        return
    for path, content in contents.items():
        file = tmp_path / "data" / path if path else tmp_path / "data"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    if not contents:
        (tmp_path / "data").mkdir()
    found = fingerprint_files(tmp_path / "data")
    assert found.id == case["want"]["id"]
    assert found.sha256 == case["want"]["sha256"]


@pytest.mark.parametrize("case", named(FILES["different"]))
def test_these_files_are_two(case):
    one, other = (
        wf_files.identity({path.encode(): bytes.fromhex(content) for path, content in files.items()})
        for files in case["files"]
    )
    assert wf_records.identifier(one) != wf_records.identifier(other)
