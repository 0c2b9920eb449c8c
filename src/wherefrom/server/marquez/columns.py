"""Columns of numbers that grow at their end, as arrays that can be searched whole."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
_TOGETHER = 20_000


class Columns:
    """Rows of whole numbers, kept by column; at most twice the memory that they need.

    A column as `get` gives it stays as it is when rows are added later.
    """

    def __init__(self, *names: str) -> None:
        self._names = names
        self._size = 0
        self._data = {name: np.zeros(1024, np.int64) for name in names}

    def __len__(self) -> int:
        return self._size

    def extend(self, rows: Sequence[Any]) -> None:
        """Add rows, each with a value for every column in their order."""
        if not rows:
            return
        added = np.array([tuple(row) for row in rows], np.int64)
        end = self._size + len(added)
        for position, name in enumerate(self._names):
            column = self._data[name]
            if end > len(column):
                column = np.concatenate((column[: self._size], np.zeros(2 * end - self._size, np.int64)))
                self._data[name] = column
            column[self._size : end] = added[:, position]
        self._size = end

    def get(self, name: str) -> Numbers:
        return self._data[name][: self._size]


def is_one_of(column: Numbers, numbers: Sequence[int] | Numbers) -> Mask:
    """Where the column has one of these numbers."""
    if len(numbers) == 1:
        only: Mask = column == numbers[0]
        return only
    return np.isin(column, np.asarray(numbers, np.int64))


def last_of_each(groups: Numbers, order: tuple[Numbers, ...], count: int) -> Numbers:
    """Positions of the last `count` of each group, by the keys in `order`, of which the last weighs most."""
    ordered = np.lexsort((*order, groups))
    sizes = np.unique(groups, return_counts=True)[1]
    from_end = np.repeat(np.cumsum(sizes), sizes) - np.arange(len(groups))
    return ordered[from_end <= count]


def by_many(rows: Iterable[Any]) -> Iterator[list[Any]]:
    """The rows, some thousands at a time."""
    there = iter(rows)
    while page := list(itertools.islice(there, _TOGETHER)):
        yield page
