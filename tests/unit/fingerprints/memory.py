"""The same values in memory that is as odd as Arrow allows: slices, hidden values, gaps, dictionaries, runs."""

import random
from typing import Any

import numpy as np
import pyarrow as pa

_WRAPPED = 0.15


def odd_array(kind: pa.DataType, raws: list[Any], rng: random.Random) -> pa.Array:
    """An array of these values, as `pa.array(raws, kind)` takes them, that shares little with the plain one.

    What a null, a slice or an offset hides is not empty, and must not be seen.
    """
    chance = rng.random()
    if chance < _WRAPPED:
        return _dictionary(kind, raws, rng)
    if chance < 2 * _WRAPPED:
        return _runs(kind, raws, rng)
    before, after = rng.choice([0, 0, 1, 3, 9]), rng.choice([0, 1])
    padded = [*_hidden(kind, raws, before, rng), *raws, *_hidden(kind, raws, after, rng)]
    return _array(kind, padded, rng).slice(before, len(raws))


def _hidden(kind: pa.DataType, raws: list[Any], count: int, rng: random.Random) -> list[Any]:
    """Values that nobody may see."""
    return [rng.choice([None, *raws]) for _ in range(count)]


def _array(kind: pa.DataType, raws: list[Any], rng: random.Random) -> pa.Array:
    if pa.types.is_struct(kind):
        return _struct(kind, raws, rng)
    if pa.types.is_map(kind):
        return _map(kind, raws, rng)
    if pa.types.is_fixed_size_list(kind):
        return _fixed_size_list(kind, raws, rng)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _list(kind, raws, rng)
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        return _list_view(kind, raws, rng)
    return _flat(kind, raws)


def _flat(kind: pa.DataType, raws: list[Any]) -> pa.Array:
    if pa.types.is_floating(kind):
        values = np.array([0.0 if raw is None else raw for raw in raws], kind.to_pandas_dtype())
        return pa.array(values, kind, mask=np.array([raw is None for raw in raws], bool))
    return pa.array(raws, kind)


def _validity(raws: list[Any]) -> pa.Buffer | None:
    """A bitmap; none where no value is null."""
    flags = np.array([raw is not None for raw in raws], bool)
    return None if flags.all() else pa.py_buffer(np.packbits(flags, bitorder="little").tobytes())


def _dictionary(kind: pa.DataType, raws: list[Any], rng: random.Random) -> pa.Array:
    """Values that repeat, are null, or are never used, in any order."""
    order = list(range(len(raws)))
    rng.shuffle(order)
    values = [raws[index] for index in order]
    values += _hidden(kind, raws, rng.choice([0, 2]), rng)
    indices = np.empty(len(raws), np.int64)
    indices[order] = range(len(raws))
    hidden = [
        None if raw is None and rng.random() < 0.5 else int(index) for raw, index in zip(raws, indices, strict=True)
    ]
    index_type = rng.choice([pa.int8(), pa.uint16(), pa.int64()])
    return pa.DictionaryArray.from_arrays(pa.array(hidden, index_type), _array(kind, values, rng))


def _runs(kind: pa.DataType, raws: list[Any], rng: random.Random) -> pa.Array:
    """Runs of one value or more, cut out of a longer array."""
    before = rng.choice([0, 2])
    padded = [*_hidden(kind, raws, before, rng), *raws]
    starts = [i for i in range(len(padded)) if i == 0 or padded[i] != padded[i - 1] or rng.random() < 0.5]
    ends = [*starts[1:], len(padded)] if padded else []
    run_ends = pa.array(ends, rng.choice([pa.int16(), pa.int32(), pa.int64()]))
    values = _array(kind, [padded[start] for start in starts], rng)
    return pa.RunEndEncodedArray.from_arrays(run_ends, values).slice(before, len(raws))


def _struct(kind: pa.StructType, raws: list[Any], rng: random.Random) -> pa.Array:
    fields = [kind.field(index) for index in range(kind.num_fields)]
    children = []
    for field in fields:
        seen = [raw[field.name] for raw in raws if raw is not None]
        under_null = _hidden(field.type, seen, len(raws), rng)
        inner = [hidden if raw is None else raw[field.name] for raw, hidden in zip(raws, under_null, strict=True)]
        children.append(odd_array(field.type, inner, rng))
    struct = pa.struct([pa.field(field.name, child.type) for field, child in zip(fields, children, strict=True)])
    return pa.Array.from_buffers(struct, len(raws), [_validity(raws)], children=children)


def _ranges(raws: list[Any], rng: random.Random) -> tuple[list[Any], list[int]]:
    """Elements of lists one after the other, those of null lists and beyond the ends too, and where each starts."""
    seen = [element for raw in raws if raw is not None for element in raw]
    hidden = [*seen, None]
    elements = [rng.choice(hidden) for _ in range(rng.choice([0, 0, 2]))]
    offsets = [len(elements)]
    for raw in raws:
        elements += [rng.choice(hidden) for _ in range(rng.choice([0, 1, 3]))] if raw is None else raw
        offsets.append(len(elements))
    elements += [rng.choice(hidden) for _ in range(rng.choice([0, 0, 2]))]
    return elements, offsets


def _list(kind: Any, raws: list[Any], rng: random.Random) -> pa.Array:
    elements, offsets = _ranges(raws, rng)
    is_small = pa.types.is_list(kind)
    child = odd_array(kind.value_type, elements, rng)
    list_type = (pa.list_ if is_small else pa.large_list)(child.type)
    where = pa.py_buffer(np.array(offsets, np.int32 if is_small else np.int64).tobytes())
    return pa.Array.from_buffers(list_type, len(raws), [_validity(raws), where], children=[child])


def _list_view(kind: Any, raws: list[Any], rng: random.Random) -> pa.Array:
    elements: list[Any] = []
    order = list(range(len(raws)))
    rng.shuffle(order)
    starts, sizes = [0] * len(raws), [0] * len(raws)
    for index in order:
        content = [None] * rng.choice([0, 2]) if raws[index] is None else raws[index]
        if not content:
            starts[index] = rng.randint(0, len(elements))
            continue
        same = [other for other in order if raws[other] == raws[index] and sizes[other]]
        if same and raws[index] is not None and repr(raws[same[0]]) == repr(raws[index]) and rng.random() < 0.5:
            starts[index], sizes[index] = starts[same[0]], sizes[same[0]]
            continue
        elements += [rng.choice([*content, None]) for _ in range(rng.choice([0, 1]))]
        starts[index], sizes[index] = len(elements), len(content)
        elements += content
    is_small = pa.types.is_list_view(kind)
    child = odd_array(kind.value_type, elements, rng)
    view_type = (pa.list_view if is_small else pa.large_list_view)(child.type)
    width = np.int32 if is_small else np.int64
    where = [pa.py_buffer(np.array(numbers, width).tobytes()) for numbers in (starts, sizes)]
    return pa.Array.from_buffers(view_type, len(raws), [_validity(raws), *where], children=[child])


def _fixed_size_list(kind: Any, raws: list[Any], rng: random.Random) -> pa.Array:
    seen = [element for raw in raws if raw is not None for element in raw]
    elements: list[Any] = []
    for raw in raws:
        elements += _hidden(kind.value_type, seen, kind.list_size, rng) if raw is None else raw
    child = odd_array(kind.value_type, elements, rng)
    fixed = pa.list_(child.type, kind.list_size)
    return pa.Array.from_buffers(fixed, len(raws), [_validity(raws)], children=[child])


def _map(kind: Any, raws: list[Any], rng: random.Random) -> pa.Array:
    """Keys under null maps are like any others: they are never null."""
    seen = [entry for raw in raws if raw is not None for entry in raw]
    entries: list[Any] = [rng.choice(seen)] if seen and rng.random() < 0.3 else []
    offsets = [len(entries)]
    for raw in raws:
        if raw is not None:
            entries += raw
        elif seen and rng.random() < 0.5:
            entries.append(rng.choice(seen))
        offsets.append(len(entries))
    # The entries may be a slice too.
    before = entries[:1] if rng.random() < 0.5 else []
    keys = _array(kind.key_type, [key for key, _ in before + entries], rng)
    items = odd_array(kind.item_type, [item for _, item in before + entries], rng)
    pairs = pa.StructArray.from_arrays([keys, items], names=["key", "value"]).slice(len(before))
    map_type = pa.map_(keys.type, items.type)
    where = pa.py_buffer(np.array(offsets, np.int32).tobytes())
    return pa.Array.from_buffers(map_type, len(raws), [_validity(raws), where], children=[pairs])
