"""Bitcoin's block headers: what they say, what work went into them, a file of them. Source: docs/spec/anchors.md."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from wherefrom.errors import FormatError, UnavailableError

HEADER_SIZE: Final = 80
MAX_FILE_BYTES: Final = 1 << 28

MAINNET_LEAST_WORK: Final = 1 << 76
"""Hashes, on average, that made a block: fewer than for any since 2021, and still dear to whoever would forge one."""
MAINNET_GENESIS: Final = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
MAINNET_TOTAL_WORK: Final = 0x63C4EBD298DB40AF57541800
"""Hashes, on average, that made Bitcoin's chain up to January 2024 (Bitcoin Core 27, nMinimumChainWork)."""

_MAX_HEIGHT: Final = 2**31 - 1


@dataclass(frozen=True)
class BlockHeader:
    """What of a header matters here. Hashes as in the header; Bitcoin's software shows them backwards.

    Attributes:
        block_hash, previous, merkle_root: 32 bytes each.
        time: what the miner's clock said, within two hours of everybody else's; UTC.
        bits: the target, in Bitcoin's short form.
    """

    block_hash: bytes
    previous: bytes
    merkle_root: bytes
    time: datetime
    bits: int

    @property
    def target(self) -> int:
        """The block's hash, as a little-endian number, is at most this; 0 when no hash would do."""
        exponent, mantissa = self.bits >> 24, self.bits & 0x7FFFFF
        if self.bits & 0x800000 or exponent > 32:
            return 0
        return mantissa << 8 * (exponent - 3) if exponent >= 3 else mantissa >> 8 * (3 - exponent)

    @property
    def work(self) -> int:
        """How many hashes it takes on average to find a block like this; 0 when its own hash is over its target."""
        target = self.target
        return (1 << 256) // (target + 1) if target > 0 and int.from_bytes(self.block_hash, "little") <= target else 0

    def verify_work(self, least: int) -> None:
        """Raise UnavailableError unless at least so many hashes went into this block: else it is not Bitcoin's."""
        if self.work < max(least, 1):
            raise UnavailableError(
                f"block {self.block_hash[::-1].hex()} took {self.work} hashes to make, expected at least {least}: "
                "these are no headers of Bitcoin's main chain"
            )


class BlockHeaders(Protocol):
    """Where block headers come from."""

    def read(self, height: int) -> BlockHeader:
        """The header of the block at this height of the best chain. Raises UnavailableError when it can't be had."""


def parse_header(data: bytes) -> BlockHeader:
    """Read the 80 bytes of a header. Raises FormatError for another length."""
    if len(data) != HEADER_SIZE:
        raise FormatError(f"block header has {len(data)} bytes, expected {HEADER_SIZE}")
    return BlockHeader(
        block_hash=hashlib.sha256(hashlib.sha256(data).digest()).digest(),
        previous=data[4:36],
        merkle_root=data[36:68],
        time=datetime.fromtimestamp(int.from_bytes(data[68:72], "little"), UTC),
        bits=int.from_bytes(data[72:76], "little"),
    )


@dataclass(frozen=True)
class HeaderFile:
    """Block headers out of a file; offline."""

    headers: Mapping[int, bytes]

    def read(self, height: int) -> BlockHeader:
        if height not in self.headers:
            raise UnavailableError(f"the file of block headers has none of height {height}", hint="get a newer one")
        return parse_header(self.headers[height])


def parse_header_file(
    data: bytes, *, genesis: str = MAINNET_GENESIS, least_total_work: int = MAINNET_TOTAL_WORK
) -> HeaderFile:
    """Read a file of block headers, of at most 256 MiB, in one of two forms.

    The whole chain: 80 bytes for each block from height 0 on. Checked are each block's work, that it follows the one
    before, and that all took at least `least_total_work` hashes: as hard to forge as it is to outdo Bitcoin.

    A list: lines `HEIGHT HEX`, heights going up; where one follows the other, so must the blocks. Each is as hard to
    forge as the least work that whoever reads a header asks for.

    Args:
        data: the file.
        genesis: hash of block 0, in hex as Bitcoin's software shows it.
        least_total_work: in hashes.

    Raises FormatError.
    """
    if len(data) > MAX_FILE_BYTES:
        raise FormatError(f"file of block headers has {len(data)} bytes, expected at most {MAX_FILE_BYTES}")
    if data[:1].isdigit():
        return HeaderFile(_parse_list(data))
    if not data or len(data) % HEADER_SIZE:
        raise FormatError(
            f"file of block headers has {len(data)} bytes, expected a multiple of {HEADER_SIZE}, or a list"
        )
    _check_chain(data, genesis, least_total_work)
    return HeaderFile(_Chain(data))


class _Chain(Mapping[int, bytes]):
    """Headers by height, in the file's own bytes: a million of them as objects would take a gigabyte."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __getitem__(self, height: int) -> bytes:
        if not 0 <= height < len(self):
            raise KeyError(height)
        return self._data[height * HEADER_SIZE : (height + 1) * HEADER_SIZE]

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def __len__(self) -> int:
        return len(self._data) // HEADER_SIZE


def _check_chain(data: bytes, genesis: str, least_total_work: int) -> None:
    previous, total, sha256 = bytes(32), 0, hashlib.sha256
    bits, target, work = b"", 0, 0
    for start in range(0, len(data), HEADER_SIZE):
        header = data[start : start + HEADER_SIZE]
        if header[4:36] != previous:
            raise FormatError(f"file of block headers: block {start // HEADER_SIZE} does not follow the one before it")
        previous = sha256(sha256(header).digest()).digest()
        if start == 0 and previous[::-1].hex() != genesis:
            raise FormatError(f"file of block headers begins with block {previous[::-1].hex()}, expected {genesis}")
        if header[72:76] != bits:  # changes every 2,016 blocks
            parsed = parse_header(header)
            bits, target = header[72:76], parsed.target
            work = (1 << 256) // (target + 1)
        if target == 0 or int.from_bytes(previous, "little") > target:
            raise FormatError(f"file of block headers: block {start // HEADER_SIZE} lacks the work that it claims")
        total += work
    if total < least_total_work:
        raise FormatError(
            f"file of block headers took {total:.3g} hashes to make, expected at least {least_total_work:.3g}: "
            "it is too short, or not Bitcoin's main chain"
        )


def _parse_list(data: bytes) -> dict[int, bytes]:
    headers: dict[int, bytes] = {}
    before = -1
    for number, line in enumerate(data.removesuffix(b"\n").split(b"\n"), start=1):
        what = f"file of block headers: line {number}"
        height_text, _, encoded = line.partition(b" ")
        if not height_text.isdigit() or len(height_text) > 10 or len(encoded) != 2 * HEADER_SIZE:
            raise FormatError(f"{what} is {line[:40]!r}, expected a height, a space and 160 hex digits")
        try:
            header = bytes.fromhex(encoded.decode())
        except ValueError as error:
            raise FormatError(f"{what} has other than 160 hex digits after the height") from error
        if len(header) != HEADER_SIZE:
            raise FormatError(f"{what} has spaces between its hex digits")
        height = int(height_text)
        if not before < height <= _MAX_HEIGHT:
            raise FormatError(f"{what}: height {height} is not above the one before, {before}")
        if (
            height == before + 1
            and headers
            and parse_header(header).previous != parse_header(headers[before]).block_hash
        ):
            raise FormatError(f"{what}: block {height} does not follow the one before it")
        headers[height], before = header, height
    return headers
