"""What a column of text stands for: numbers, booleans, or text. docs/spec/fingerprint-records-v1.md section 6."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NULL_SPELLINGS: Final = (
    "",
    "#N/A",
    "#N/A N/A",
    "#NA",
    "-1.#IND",
    "-1.#QNAN",
    "-NaN",
    "-nan",
    "1.#IND",
    "1.#QNAN",
    "<NA>",
    "N/A",
    "NA",
    "NULL",
    "NaN",
    "None",
    "n/a",
    "nan",
    "null",
)
"""Fields that mean that nothing is there, quoted or not: those that pandas knows."""

_TRUE: Final = r"^(true|True|TRUE)$"
_BOOLEAN: Final = r"^(true|True|TRUE|false|False|FALSE)$"
_NUMBER: Final = r"(?i)^[ \t]*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]+)?[ \t]*$|^[ \t]*[+-]?inf(inity)?[ \t]*$"
# Text of these bytes alone is such a number just when Arrow's own parser takes it, which is ten times faster.
_PLAIN_BYTES: Final = np.frombuffer(b"-.0123456789eE", np.uint8)
_FLOAT_BYTES: Final = np.frombuffer(b".eEnN", np.uint8)
_EXACT: Final = 2**53

if TYPE_CHECKING:
    from wherefrom.fingerprints.arrow import AnyArray


@dataclass
class TextColumn:
    """What a column looked like so far; it widens from null to boolean, or to integer and float, and then to text."""

    kind: str = "null"
    lowest: int = 0
    highest: int = 0
    is_misread: bool = False
    """Whether what `read` returned before is no longer what it would return now."""

    def read(self, texts: AnyArray) -> AnyArray:
        """The next part of the column, typed as everything seen until now asks."""
        if texts.null_count == len(texts):
            return pa.nulls(len(texts))
        if self.kind in {"null", "boolean"} and _are_all(pc.match_substring_regex(texts, _BOOLEAN)):
            self.kind = "boolean"
            return pc.match_substring_regex(texts, _TRUE)
        if self.kind in {"null", "integer", "float"}:
            numbers = _parse_numbers(texts)
            if numbers is not None:
                return self._read_numbers(numbers)
        self._widen("text", is_misread=self.kind not in {"null", "text"})
        return texts

    def _read_numbers(self, numbers: AnyArray) -> AnyArray:
        # Integers beyond 2^53 seen so far would be other numbers as floats.
        is_inexact = max(-self.lowest, self.highest) > _EXACT
        if not pa.types.is_floating(numbers.type):
            lowest, highest = pc.min_max(numbers).values()
            self.lowest, self.highest = min(self.lowest, lowest.as_py()), max(self.highest, highest.as_py())
            if self.kind != "float" and not (self.lowest < 0 and self.highest >= 2**63):
                self.kind = "integer"
                return numbers
        self._widen("float", is_misread=self.kind == "integer" and is_inexact)
        return numbers.cast(pa.float64(), safe=False)

    def _widen(self, kind: str, *, is_misread: bool) -> None:
        self.kind = kind
        self.is_misread = self.is_misread or is_misread


def _parse_numbers(texts: AnyArray) -> AnyArray | None:
    """Integers of 64 bits if all are such, else floats; None if some text is no number."""
    counts = np.bincount(_bytes_of(texts), minlength=256)
    if counts.sum() != counts[_PLAIN_BYTES].sum():
        if not _are_all(pc.match_substring_regex(texts, _NUMBER)):
            return None
        texts = pc.utf8_ltrim(pc.utf8_trim(texts, " \t"), "+")
    if not counts[_FLOAT_BYTES].any():
        for integer in (pa.int64(), pa.uint64()):
            try:
                return texts.cast(integer)
            except pa.ArrowInvalid:
                continue
    try:
        return texts.cast(pa.float64())
    except pa.ArrowInvalid:
        return None


def _bytes_of(texts: AnyArray) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    _, offsets, data = texts.buffers()
    bounds = np.frombuffer(offsets, np.int32, len(texts) + 1, 4 * texts.offset)
    return np.frombuffer(data, np.uint8)[bounds[0] : bounds[-1]] if data is not None else np.empty(0, np.uint8)


def _are_all(flags: AnyArray) -> bool:
    """Whether no flag is false; null, where there is no text, is no objection."""
    return bool(pc.all(flags).as_py())
