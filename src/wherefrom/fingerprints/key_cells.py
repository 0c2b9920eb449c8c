"""Columns of keys in their form, as cells. Source: docs/spec/fingerprint-records-v1.md section 7.1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from wherefrom.commitments.forms import text_form, url_form
from wherefrom.errors import FormatError
from wherefrom.fingerprints.cells import cells_of, distinct_texts, plain
from wherefrom.fingerprints.gather import is_text
from wherefrom.fingerprints.packing import Cells

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from wherefrom.fingerprints.arrow import AnyArray

_OF_TEXT: Final[dict[str, Callable[[str], str]]] = {"text": text_form, "url": url_form}
_BINARIES: Final = ((pa.types.is_string, pa.binary), (pa.types.is_large_string, pa.large_binary))


def key_cells_of(array: AnyArray, *, form: str) -> Cells:
    """Cells of a key column in a form other than "exact".

    Raises FormatError: the column holds what the form does not take, or a value that has no such form.
    """
    array = plain(array, keep_dictionaries=False)
    exact = cells_of(array)
    if exact.type.kind == "null":
        return exact
    if form == "document":
        if exact.type.kind not in {"text", "binary"}:
            raise FormatError(f"holds {exact.type}; key form 'document' takes text or binary")
        return cells_of(_as_binary(array))
    if exact.type.kind != "text":
        raise FormatError(f"holds {exact.type}; key form {form!r} takes text")
    to_form = _OF_TEXT[form]
    distinct = distinct_texts(array)
    formed = [None if value is None else to_form(value) for value in distinct.dictionary.to_pylist()]
    return cells_of(pa.DictionaryArray.from_arrays(distinct.indices, pa.array(formed, pa.large_string())))


def once(cells: Cells, count: int) -> Cells:
    """The same cells, made now, for those who write them more than once: to hash texts takes longer than to copy."""
    made = np.empty((count, cells.width), np.uint8)
    cells.fill(made)

    def fill(out: npt.NDArray[np.uint8]) -> None:
        out[:] = made

    return Cells(cells.type, cells.width, cells.nulls, fill)


def _as_binary(array: AnyArray) -> AnyArray:
    if not is_text(array.type):
        return array
    for is_of_type, binary in _BINARIES:
        if is_of_type(array.type):
            return array.cast(binary())
    return array.cast(pa.binary_view())
