"""Columns of numbers and of text that only grow: appended to by Python, read by numpy without a copy."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Bits = npt.NDArray[np.bool_]
_TYPES: dict[str, Any] = {"b": np.int8, "i": np.int32, "q": np.int64}


class Column:
    """Numbers by position, of 1, 4 or 8 bytes each (`b`, `i`, `q`)."""

    __slots__ = ("_type", "values")

    def __init__(self, kind: Literal["b", "i", "q"], values: Iterable[int] = ()) -> None:
        self.values = array(kind, values)
        self._type = _TYPES[kind]

    def __len__(self) -> int:
        return len(self.values)

    def pick(self, positions: Iterable[int]) -> list[int]:
        """Those at these positions. Unlike with a view, the column may grow meanwhile."""
        return list(map(self.values.__getitem__, positions))

    def view(self) -> Any:
        """All of it as a numpy array over the same memory. Not to be kept: nothing can be appended while it lives."""
        return np.frombuffer(self.values, self._type)

    def own(self) -> None:
        """Make it appendable even if somebody kept a view: theirs stays what it was."""
        try:
            self.values.append(0)
            self.values.pop()
        except BufferError:
            self.values = self.values[:]

    def grow(self, size: int, fill: int) -> None:
        """Fill up to `size` positions."""
        if (missing := size - len(self.values)) > 0:
            self.values.extend(array(self.values.typecode, [fill]) * missing)

    def set_all(self, values: npt.NDArray[Any]) -> None:
        made = array(self.values.typecode)
        made.frombytes(np.ascontiguousarray(values, self._type).tobytes())
        self.values = made


class Texts:
    """Texts by position, as UTF-8 in one piece: a fraction of what as many Python strings take.

    Attributes:
        data: all of them, a newline before the first and after each.
        starts: where each starts in `data`; one more, where the next one will.
    """

    __slots__ = ("data", "starts")

    def __init__(self) -> None:
        self.data = bytearray(b"\n")
        self.starts = array("q", [1])

    def __len__(self) -> int:
        return len(self.starts) - 1

    def extend(self, texts: Sequence[str]) -> None:
        # Names are separated by a byte that search looks for; one within a name must not look like it.
        for text in texts:
            self.data += text.encode("utf-8", "surrogatepass").replace(b"\n", b"\0") + b"\n"
            self.starts.append(len(self.data))

    def __getitem__(self, position: int) -> str:
        return self.pick([position])[0]

    def pick(self, positions: Iterable[int]) -> list[str]:
        data, starts = self.data, self.starts
        return [
            data[starts[position] : starts[position + 1] - 1].decode("utf-8", "surrogatepass").replace("\0", "\n")
            for position in positions
        ]


def ranges(starts: Any, counts: Any) -> Longs:
    """The numbers start, start + 1, … of each range, `count` of them, one range after the other."""
    if len(starts) == 1:
        return np.arange(int(starts[0]), int(starts[0]) + int(counts[0]))
    if not len(starts):
        return np.empty(0, np.int64)
    ends = counts.cumsum()
    result: Longs = (starts - ends + counts).repeat(counts) + np.arange(int(ends[-1]))
    return result


def distinct(numbers: Longs) -> Longs:
    """Each once, in order. As numpy's `unique`, which for a few takes several times as long, and for many too."""
    if len(numbers) < 2:
        return numbers
    numbers = np.sort(numbers)
    first = np.empty(len(numbers), np.bool_)
    first[0] = True
    np.not_equal(numbers[1:], numbers[:-1], out=first[1:])
    return numbers[first]


def first_places(numbers: Longs, size: int) -> Longs:
    """Where each number, below `size`, stands for the first time."""
    places = np.arange(len(numbers))
    first = np.empty(size, np.int64)  # what is not written is not read
    first[numbers[::-1]] = places[::-1]
    return np.flatnonzero(first[numbers] == places)
