"""What property tests don't draw: memory under nulls, odd dictionaries, damaged arrays, refused types."""

import ctypes

import numpy as np
import pyarrow as pa
import pytest
from tests.reference import wf_records

from wherefrom.errors import FormatError
from wherefrom.fingerprints import cells, fingerprint_records, rows, sha256


def same(*arrays):
    return len({fingerprint_records(pa.table({"a": array})).id for array in arrays}) == 1


def type_of(array):
    return str(fingerprint_records(pa.table({"a": array})).columns[0].type)


def kernel_leaves(array):
    """Leaf hashes of a table of one column, by the road that every source takes."""
    batch = pa.RecordBatch.from_arrays([array], names=["a"])
    rows.validate_batch(batch)
    return [row.tobytes() for chunk in rows.iter_chunks(batch) for row in rows.hash_rows_of(chunk).leaf_hashes]


def leaves_of(values):
    """The same by the reference, from values in the notation of the vectors."""
    return [wf_records.leaf_hash(wf_records.cell(value)) for value in values]


class NoColumns:
    """A batch whose columns can't be touched, as pyarrow makes none of these types."""

    def __init__(self, schema):
        self.schema = schema


class ArrowSchema(ctypes.Structure):
    """Of Arrow's C data interface."""


RELEASE = ctypes.CFUNCTYPE(None, ctypes.POINTER(ArrowSchema))
ArrowSchema._fields_ = [
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_char_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.c_void_p),
    ("dictionary", ctypes.c_void_p),
    ("release", RELEASE),
    ("private_data", ctypes.c_void_p),
]


@RELEASE
def release(schema):
    schema.contents.release = ctypes.cast(None, RELEASE)


def foreign_type(form):
    """A type that only other libraries make."""
    schema = ArrowSchema(format=form, name=b"", flags=2, release=release)
    return pa.DataType._import_from_c(ctypes.addressof(schema))


def bitmap(*flags):
    return pa.py_buffer(np.packbits(flags, bitorder="little").tobytes())


def test_bytes_under_nulls_do_not_count():
    values = pa.py_buffer(np.array([7, 8], "i8"))
    assert same(pa.Array.from_buffers(pa.int64(), 2, [bitmap(1, 0), values]), pa.array([7, None]))
    offsets, data = pa.py_buffer(np.array([0, 1, 3], "i4")), pa.py_buffer(b"abc")
    assert same(pa.Array.from_buffers(pa.string(), 2, [bitmap(1, 0), offsets, data]), pa.array(["a", None]))
    hidden = pa.ListArray.from_arrays(
        pa.array([0, 1, 3], pa.int32()), pa.array([1, 2, 3]), mask=pa.array([False, True])
    )
    assert len(hidden.values) == 3
    assert same(hidden, pa.array([[1], None]))
    struct = pa.StructArray.from_arrays([pa.array([1, 2])], names=["x"], mask=pa.array([False, True]))
    assert same(struct, pa.array([{"x": 1}, None]))


def test_values_that_no_row_refers_to_are_not_seen():
    used = pa.DictionaryArray.from_arrays(pa.array([0, None, 0], pa.int8()), pa.array([[1], [None]]))
    assert type_of(used) == "list<number>"
    only_empty = pa.DictionaryArray.from_arrays(pa.array([0, 0], pa.int8()), pa.array([[], [1]]))
    assert type_of(only_empty) == "list<null>"
    hidden = pa.ListArray.from_arrays(pa.array([0, 0, 1], pa.int32()), pa.array([1]), mask=pa.array([False, True]))
    assert type_of(hidden) == "list<null>"
    assert same(hidden, pa.array([[], None]))


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()], ids=str)
def test_dictionaries_count_as_their_values(kind):
    plain = pa.array(["a", None, "b", "a"])
    for dictionary, indices in (
        (["b", "a"], [1, None, 0, 1]),
        (["a", "b", "a"], [0, None, 1, 2]),
        (["a", None, "b"], [0, 1, 2, 0]),
        (["x", "a", "y", "b", "z", "w"], [1, None, 3, 1]),
    ):
        values = pa.array(dictionary, kind)
        assert same(pa.DictionaryArray.from_arrays(pa.array(indices, pa.int16()), values), plain)


def test_long_columns_of_few_texts_are_hashed_by_distinct_value():
    texts = [None if index % 7 == 0 else f"name {index % 50}" for index in range(5_000)]
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        array = pa.array(texts, kind)
        assert same(
            array, pa.array(texts).dictionary_encode(), pa.chunked_array([array.slice(0, 700), array.slice(700)])
        )
    changed = pa.array([*texts[:-1], "another"])
    assert not same(pa.array(texts), changed)


def test_extension_types_count_as_what_they_store():
    tensor = pa.ExtensionArray.from_storage(
        pa.fixed_shape_tensor(pa.int8(), [2]), pa.array([[1, 2]], pa.list_(pa.int8(), 2))
    )
    assert same(tensor, pa.array([[1, 2]]))
    uuid = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([bytes(16)], pa.binary(16)))
    assert same(uuid, pa.array([bytes(16)]))
    for kind, storage in (
        (pa.json_(), pa.array(["{}", None])),
        (pa.bool8(), pa.array([1, 0, None], pa.int8())),
        (pa.opaque(pa.list_(pa.float16()), "vector", "db"), pa.array([np.float16([0.5])], pa.list_(pa.float16()))),
    ):
        extension = pa.ExtensionArray.from_storage(kind, storage)
        assert same(extension, storage)
        assert same(
            pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), extension),
            pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), storage),
        )
        struct = pa.StructArray.from_arrays(
            [extension], names=["x"], mask=pa.array([True] + [False] * (len(storage) - 1))
        )
        plain = pa.StructArray.from_arrays([storage], names=["x"], mask=pa.array([True] + [False] * (len(storage) - 1)))
        assert same(struct, plain)


@pytest.mark.parametrize(
    "kind",
    [pa.list_(pa.null(), 2), pa.large_list_view(pa.null()), pa.list_(pa.int8()), pa.list_view(pa.string())],
    ids=str,
)
def test_maps_of_lists_are_read_where_they_lie(kind):
    maps = pa.array([[(1, [None, None]), (2, None)], None, [(3, [None, None])], []], pa.map_(pa.int8(), kind))
    plain = pa.array(
        [[(2, None), (1, [None, None])], None, [(3, [None, None])], []], pa.map_(pa.int64(), pa.list_(pa.null()))
    )
    assert same(maps, plain)
    assert same(maps.slice(2), plain.slice(2))
    assert not same(maps.slice(0, 2), plain.slice(1, 2))


EMPTY = [[], None, []]


@pytest.mark.parametrize(
    "kind",
    [
        *(make(pa.int64()) for make in (pa.list_, pa.large_list, pa.list_view, pa.large_list_view)),
        pa.list_(pa.null()),
        pa.list_(pa.list_(pa.string_view())),
        pa.list_(pa.map_(pa.string(), pa.int8())),
        pa.list_(pa.int8(), 0),
    ],
    ids=str,
)
@pytest.mark.parametrize("is_native", [False, True], ids=["hashlib", "native"])
def test_lists_that_are_all_empty_are_empty_lists(kind, is_native, monkeypatch):
    monkeypatch.setattr(sha256, "_is_native_better", lambda count: is_native)
    empty, want = pa.array(EMPTY, kind), leaves_of([{"list": []}, None, {"list": []}])
    hidden = pa.array([None, None, None], kind)
    struct = pa.StructArray.from_arrays([empty], names=["x"], mask=pa.array([False, True, True]))
    assert kernel_leaves(empty) == want
    assert kernel_leaves(empty.slice(1)) == want[1:]
    assert kernel_leaves(pa.concat_arrays([hidden, empty, hidden]).slice(3, 3)) == want
    assert kernel_leaves(pa.DictionaryArray.from_arrays(pa.array([2, 1, 0], pa.int8()), empty)) == want
    assert kernel_leaves(struct) == leaves_of([{"struct": {"x": {"list": []}}}, None, None])


@pytest.mark.parametrize("is_native", [False, True], ids=["hashlib", "native"])
def test_maps_that_are_all_empty_are_empty_maps(is_native, monkeypatch):
    monkeypatch.setattr(sha256, "_is_native_better", lambda count: is_native)
    empty, want = (
        pa.array(EMPTY, pa.map_(pa.string(), pa.list_(pa.int8()))),
        leaves_of([{"map": []}, None, {"map": []}]),
    )
    assert kernel_leaves(empty) == want
    assert kernel_leaves(empty.slice(2)) == want[2:]
    assert kernel_leaves(pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), empty)) == leaves_of(
        [{"list": [{"map": []}]}]
    )


def test_entries_of_a_map_that_are_a_slice_are_read_where_they_lie():
    entries = pa.StructArray.from_arrays([pa.array(["hidden", "a", "b"]), pa.array([9, 1, 2])], names=["key", "value"])
    offsets = pa.py_buffer(np.array([0, 1, 2], "i4"))
    maps = pa.Array.from_buffers(pa.map_(pa.string(), pa.int64()), 2, [None, offsets], children=[entries.slice(1)])
    assert kernel_leaves(maps) == leaves_of(
        [{"map": [[{"text": name}, {"int": number}]]} for name, number in (("a", "1"), ("b", "2"))]
    )


def test_nulls_inside_a_dictionary_of_runs_are_nulls():
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([1, 2], pa.int32()), pa.array([5, None]))
    array = pa.DictionaryArray.from_arrays(pa.array([1, 0, 1, None], pa.int8()), runs)
    assert kernel_leaves(array) == leaves_of([None, {"int": "5"}, None, None])


def test_runs_under_a_null_struct_are_not_seen():
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([1, 2], pa.int32()), pa.array([5, None]))
    fields = {"x": runs, "y": pa.array([1, 1])}
    shown = pa.StructArray.from_arrays(list(fields.values()), names=list(fields))
    hidden = pa.StructArray.from_arrays(list(fields.values()), names=list(fields), mask=pa.array([True, False]))
    assert type_of(shown) == "struct<x: number, y: number>"
    assert type_of(hidden) == "struct<x: null, y: number>"


@pytest.mark.parametrize("type_id", ["month_interval", "day_time_interval"])
def test_types_that_arrow_has_no_arrays_of_are_refused_by_name(type_id):
    kind = foreign_type({"month_interval": b"tiM", "day_time_interval": b"tiD"}[type_id])
    for nested in (
        kind,
        pa.list_(kind),
        pa.struct([("x", pa.map_(pa.string(), kind))]),
        pa.run_end_encoded(pa.int32(), kind),
    ):
        schema = pa.schema([pa.field("a", nested)])
        with pytest.raises(FormatError, match=f"column 'a': type {type_id} can't be read by this version of Arrow"):
            rows.validate_batch(NoColumns(schema))


def test_types_without_a_canonical_form_are_refused_by_name():
    union = pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])])
    with pytest.raises(FormatError, match=r"column 'a': type sparse_union.* has no form in wf-records-1"):
        type_of(union)
    lists = pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), union)
    half = pa.array([True, False])
    for nested in (
        lists,
        pa.FixedSizeListArray.from_arrays(union, 1, mask=half),
        pa.StructArray.from_arrays([union], names=["x"]),
        pa.StructArray.from_arrays([union], names=["x"], mask=half),  # what Arrow's flatten would end the process for
        pa.StructArray.from_arrays([lists], names=["x"], mask=half),
        pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int8()), union),
    ):
        with pytest.raises(FormatError, match=r"column 'a': type sparse_union.* has no form in wf-records-1"):
            type_of(nested)
    twice = pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
    with pytest.raises(FormatError, match=r"column 'a': type struct.* has two fields of one name"):
        type_of(twice)


def test_nesting_ends_at_64_levels():
    def nested(levels):
        array = pa.array([1])
        for _ in range(levels - 1):
            array = pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), array)
        return array

    assert type_of(nested(64)).count("list<") == 63
    with pytest.raises(FormatError, match="column 'a': nested more than 64 levels deep"):
        type_of(nested(65))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (
            pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(np.array([0, 1], "i4")), pa.py_buffer(b"\xff")]),
            "UTF8",
        ),
        (
            pa.Array.from_buffers(
                pa.string(), 2, [None, pa.py_buffer(np.array([0, 3, 1], "i4")), pa.py_buffer(b"abc")]
            ),
            "offset",
        ),
        (pa.Array.from_buffers(pa.date64(), 1, [None, pa.py_buffer(np.array([1], "i8"))]), "date64"),
        (
            pa.DictionaryArray.from_arrays(pa.array([5], pa.int8()), pa.array(["a"]), safe=False),
            "ictionary",
        ),
    ],
    ids=["text that is not UTF-8", "offsets that descend", "part of a day", "index outside"],
)
def test_damaged_memory_is_refused_before_it_is_read(array, message):
    with pytest.raises(FormatError, match=message) as caught:
        type_of(array)
    assert str(caught.value).startswith("column 'a': ")


def test_the_size_of_a_chunk_follows_what_its_cells_take():
    numbers, lists = pa.array(range(100)), pa.array([[1.0] * 50] * 100)
    assert cells.bytes_in_cells(lists) > 10 * cells.bytes_in_cells(numbers)
    nested = pa.array([{"x": [1, 2, 3]}] * 100)
    assert cells.bytes_in_cells(nested) > cells.bytes_in_cells(numbers)
    assert cells.bytes_in_cells(pa.array([[("a", 1)]] * 9, pa.map_(pa.string(), pa.int8()))) >= 9 * (33 + 37 + 13)
