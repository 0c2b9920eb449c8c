"""Decimals by value: a coefficient that is not a multiple of ten, and a power of ten."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wherefrom.fingerprints.arrow import read_values

if TYPE_CHECKING:
    import numpy.typing as npt

    from wherefrom.fingerprints.arrow import AnyArray

_LIMB_BITS = np.uint64(32)


def normalise_decimals(values: AnyArray) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Exponents (n,) and coefficients (n, 32), two's complement and big-endian, of a decimal array of any width.

    Rows for nulls hold anything.
    """
    limbs, is_negative = _magnitudes(values)
    exponents = np.full(len(values), -values.type.scale, np.int32)
    is_zero = ~limbs.any(axis=1)
    exponents[is_zero] = 0
    rows = np.flatnonzero(~is_zero)
    while len(rows):
        quotients, remainders = _divide_by_ten(limbs[rows])
        rows, quotients = rows[remainders == 0], quotients[remainders == 0]
        limbs[rows] = quotients
        exponents[rows] += 1
    return exponents, _twos_complement(limbs, is_negative)


def _magnitudes(values: AnyArray) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
    """Absolute values as 32-bit limbs, lowest first, and signs."""
    limb_count = values.type.bit_width // 32
    limbs = read_values(values, "<u4", per_value=limb_count).reshape(-1, limb_count).astype(np.uint32)
    is_negative = (limbs[:, -1] >> 31).astype(np.bool_)
    limbs[is_negative] = _negate(limbs[is_negative])
    return limbs, is_negative


def _negate(limbs: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Two's complement: invert and add one, carrying from limb to limb."""
    inverted = ~limbs
    carry = np.ones(len(limbs), np.uint64)
    for index in range(limbs.shape[1]):
        total = inverted[:, index].astype(np.uint64) + carry
        inverted[:, index] = total.astype(np.uint32)
        carry = total >> _LIMB_BITS
    return inverted


def _divide_by_ten(limbs: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint64]]:
    """Long division, highest limb first: quotients and remainders."""
    quotients = np.empty_like(limbs)
    remainder = np.zeros(len(limbs), np.uint64)
    for index in reversed(range(limbs.shape[1])):
        current = (remainder << _LIMB_BITS) | limbs[:, index]
        quotients[:, index] = (current // 10).astype(np.uint32)
        remainder = current % 10
    return quotients, remainder


def _twos_complement(limbs: npt.NDArray[np.uint32], is_negative: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    wide = np.zeros((len(limbs), 8), np.uint32)
    wide[:, : limbs.shape[1]] = limbs
    wide[is_negative] = _negate(wide[is_negative])
    return np.ascontiguousarray(wide[:, ::-1]).astype(">u4").view(np.uint8).reshape(-1, 32)
