"""OpenTimestamps proofs: operations that lead from a digest to a commitment that a Bitcoin block, or a calendar, holds.

A proof is a tree: each branch applies operations to the digest, one after another, and ends in an attestation of the
result. Here it is the set of its branches, in the one order that they are written in, so nothing needs recursion, and
merging two proofs is the union of two sets. The bytes are those of a detached timestamp file (`.ots`), which other
OpenTimestamps software reads. Source: docs/spec/anchors.md, section 3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from wherefrom.anchors.bitcoin import MAINNET_LEAST_WORK, BlockHeaders
from wherefrom.anchors.timestamp import PendingError, Timestamp, UnknownAttestationError
from wherefrom.errors import FormatError, MismatchError, UnavailableError

MAX_PROOF_BYTES: Final = 1 << 16
MAX_DEPTH: Final = 255
MAX_BRANCHES: Final = 256
MAX_MESSAGE: Final = 4096
MAX_PAYLOAD: Final = 8192
MAX_URI: Final = 1000
MAX_HEIGHT: Final = 2**31 - 1

PENDING: Final = bytes.fromhex("83dfe30d2ef90c8e")
BITCOIN: Final = bytes.fromhex("0588960d73d71901")
APPEND, PREPEND, REVERSE, HEXLIFY = 0xF0, 0xF1, 0xF2, 0xF3
SHA1, RIPEMD160, SHA256, KECCAK256 = 0x02, 0x03, 0x08, 0x67

BLOCK_TIME_ACCURACY: Final = timedelta(hours=2)
"""How far ahead of the clocks of the others a miner may set a block's time, by the rules of Bitcoin."""

_MAGIC: Final = b"\x00OpenTimestamps\x00\x00Proof\x00\xbf\x89\xe2\xe8\x84\xe8\x92\x94"
_VERSION: Final = b"\x01"
_FORK, _ATTESTATION = 0xFF, 0x00
_DIGEST_SIZES: Final = {SHA1: 20, RIPEMD160: 20, SHA256: 32, KECCAK256: 32}
_HASHES: Final = {SHA1: "sha1", RIPEMD160: "ripemd160", SHA256: "sha256"}
_TAG_SIZE: Final = 8
_URI_BYTES: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._/:")


@dataclass(frozen=True, slots=True, order=True)
class Operation:
    """One step from a message to the next. `argument` is what APPEND and PREPEND add; empty for the others."""

    code: int
    argument: bytes = b""

    def __post_init__(self) -> None:
        if self.code in {APPEND, PREPEND}:
            if not 1 <= len(self.argument) <= MAX_MESSAGE:
                raise FormatError(f"operation {self.code:#04x} adds {len(self.argument)} bytes, expected 1 to 4096")
        elif self.code not in {REVERSE, HEXLIFY, *_DIGEST_SIZES}:
            raise FormatError(f"operation {self.code:#04x} is unknown")
        elif self.argument:
            raise FormatError(f"operation {self.code:#04x} takes no argument")

    def size_after(self, size: int) -> int:
        """How long the result is for a message of this length. Raises FormatError when it would get too long."""
        after = {REVERSE: size, HEXLIFY: 2 * size}.get(self.code, size + len(self.argument))
        after = _DIGEST_SIZES.get(self.code, after)
        if after > MAX_MESSAGE:
            raise FormatError(f"operation {self.code:#04x} makes {after} bytes, expected at most {MAX_MESSAGE}")
        return after

    def apply(self, message: bytes) -> bytes:
        """The next message. Raises FormatError as `size_after` does, UnavailableError for a hash that is not here."""
        self.size_after(len(message))
        if self.code == APPEND:
            return message + self.argument
        if self.code == PREPEND:
            return self.argument + message
        if self.code == REVERSE:
            return message[::-1]
        if self.code == HEXLIFY:
            return message.hex().encode()
        return _hash(self.code, message)


@dataclass(frozen=True, slots=True)
class Attestation:
    """Who attests to the message at the end of a branch: `tag`, 8 bytes, says how, `payload` the particulars."""

    tag: bytes
    payload: bytes

    def __post_init__(self) -> None:
        if len(self.tag) != _TAG_SIZE or len(self.payload) > MAX_PAYLOAD:
            raise FormatError(f"attestation has a tag of {len(self.tag)} bytes and {len(self.payload)} more")
        if self.tag == PENDING:
            _parse_uri(self.payload)
        elif self.tag == BITCOIN:
            _parse_height(self.payload)

    @property
    def calendar(self) -> str | None:
        """The URI of the calendar that has promised to attest; None for an attestation of another kind."""
        return _parse_uri(self.payload) if self.tag == PENDING else None

    @property
    def height(self) -> int | None:
        """Of the Bitcoin block whose Merkle root the message is; None for an attestation of another kind."""
        return _parse_height(self.payload) if self.tag == BITCOIN else None

    @property
    def _order(self) -> tuple[bytes, bytes | int | str]:
        return self.tag, next((v for v in (self.calendar, self.height) if v is not None), self.payload)


@dataclass(frozen=True, slots=True)
class Branch:
    """A way through a proof."""

    operations: tuple[Operation, ...]
    attestation: Attestation

    def __post_init__(self) -> None:
        if len(self.operations) > MAX_DEPTH:
            raise FormatError(f"proof has {len(self.operations)} operations in a row, expected at most {MAX_DEPTH}")

    @property
    def _order(self) -> tuple[object, ...]:
        """Attestations of a message come before operations on it."""
        return (*((1, op.code, op.argument) for op in self.operations), (0, *self.attestation._order))  # noqa: SLF001


@dataclass(frozen=True)
class Proof:
    """A digest and the branches that begin with it, each once, in order. Make it with `make_proof`."""

    digest: bytes
    branches: tuple[Branch, ...]


def make_proof(digest: bytes, branches: Iterable[Branch]) -> Proof:
    """Bring branches into their order, and drop those that are there twice: so proofs of one digest are merged.

    Args:
        digest: 32 bytes, a SHA-256.
        branches: 1 to 256 of them.

    Raises FormatError: a size or count beyond the limits.
    """
    ordered = sorted(set(branches), key=lambda branch: branch._order)  # noqa: SLF001
    if len(digest) != _DIGEST_SIZES[SHA256]:
        raise FormatError(f"proof is of a digest of {len(digest)} bytes, expected 32")
    if not 1 <= len(ordered) <= MAX_BRANCHES:
        raise FormatError(f"proof has {len(ordered)} attestations, expected 1 to {MAX_BRANCHES}")
    for branch in ordered:
        size = len(digest)
        for operation in branch.operations:
            size = operation.size_after(size)
    return Proof(digest, tuple(ordered))


def parse_ots(data: bytes) -> Proof:
    """Read a detached timestamp file of at most 64 KiB over a SHA-256 digest. Raises FormatError.

    Only the spelling that `format_ots` has will do.
    """
    head = _MAGIC + _VERSION + bytes([SHA256])
    if not data.startswith(_MAGIC):
        raise FormatError("proof does not begin as an OpenTimestamps proof does")
    if not data.startswith(head):
        raise FormatError(f"proof is of version and digest {data[len(_MAGIC) :][:2].hex()}, expected 0108: 1, SHA-256")
    reader = _Reader(data, len(head))
    digest = reader.take(_DIGEST_SIZES[SHA256])
    proof = make_proof(digest, parse_branches(data[reader.at :]))
    if format_ots(proof) != data:
        raise FormatError("proof has its attestations or operations out of order, or twice")
    return proof


def format_ots(proof: Proof) -> bytes:
    """The inverse of `parse_ots`. Raises FormatError: over 64 KiB."""
    data = _MAGIC + _VERSION + bytes([SHA256]) + proof.digest + format_branches(proof.branches)
    if len(data) > MAX_PROOF_BYTES:
        raise FormatError(f"proof has {len(data)} bytes, expected at most {MAX_PROOF_BYTES}")
    return data


def parse_branches(data: bytes) -> list[Branch]:
    """Read the tree of a timestamp, without its digest, in any order: as a calendar answers. Raises FormatError."""
    if len(data) > MAX_PROOF_BYTES:
        raise FormatError(f"proof has {len(data)} bytes, expected at most {MAX_PROOF_BYTES}")
    reader = _Reader(data)
    branches: list[Branch] = []
    forks: list[tuple[Operation, ...]] = []  # messages with more to come, by how one gets there; the innermost last
    operations: tuple[Operation, ...] = ()
    while True:
        code = reader.take(1)[0]
        if code == _FORK:
            forks.append(operations)
            code = reader.take(1)[0]
        if code != _ATTESTATION:
            argument = reader.take_sized(MAX_MESSAGE) if code in {APPEND, PREPEND} else b""
            operations = Branch((*operations, Operation(code, argument)), _NOBODY).operations
            continue
        tag = reader.take(_TAG_SIZE)
        branches.append(Branch(operations, Attestation(tag, reader.take_sized(MAX_PAYLOAD))))
        if len(branches) > MAX_BRANCHES:
            raise FormatError(f"proof has over {MAX_BRANCHES} attestations")
        if not forks:
            break
        operations = forks.pop()
    reader.end()
    return branches


_NOBODY: Final = Attestation(bytes(_TAG_SIZE), b"")


def format_branches(branches: Iterable[Branch]) -> bytes:
    """The tree of branches in their order. Where a message has several successors, all but the last are forks."""
    ordered = sorted(set(branches), key=lambda branch: branch._order)  # noqa: SLF001
    steps: list[tuple[Operation | Attestation, ...]] = [(*b.operations, b.attestation) for b in ordered]
    out = bytearray()
    work = [(0, len(steps), 0)]  # branches [first, last) share their first `depth` steps, which are written already
    while work:
        first, last, depth = work.pop()
        step = steps[first][depth]
        end = next((i for i in range(first, last) if steps[i][depth] != step), last)
        if end < last:
            out.append(_FORK)
            work.append((end, last, depth))
        if isinstance(step, Attestation):
            out += bytes([_ATTESTATION]) + step.tag + _varuint(len(step.payload)) + step.payload
        else:
            out.append(step.code)
            if step.argument:
                out += _varuint(len(step.argument)) + step.argument
            work.append((first, end, depth + 1))
    return bytes(out)


def iter_messages(proof: Proof) -> Iterator[tuple[Branch, bytes | UnavailableError]]:
    """Each branch with the message at its end, or why that can't be computed; common beginnings are computed once."""
    before: tuple[Operation, ...] = ()
    messages: list[bytes | UnavailableError] = [proof.digest]
    for branch in proof.branches:
        same = next(
            (i for i, (a, b) in enumerate(zip(before, branch.operations, strict=False)) if a != b),
            min(len(before), len(branch.operations)),
        )
        del messages[same + 1 :]
        for operation in branch.operations[same:]:
            message = messages[-1]
            try:
                messages.append(message if isinstance(message, UnavailableError) else operation.apply(message))
            except UnavailableError as error:
                messages.append(error)
        before = branch.operations
        yield branch, messages[-1]


def verify_ots(data: bytes, digest: bytes, headers: BlockHeaders, *, least_work: int = MAINNET_LEAST_WORK) -> Timestamp:
    """Verify that Bitcoin's chain holds a SHA-256 digest, and say since when.

    Args:
        data: a detached timestamp file, as `format_ots` writes it.
        digest: 32 bytes.
        headers: where block headers come from.
        least_work: hashes that a block must have taken on average; whoever would forge one must pay for as many.

    The earliest block counts, but every attestation by a block that `headers` knows must hold.

    Raises:
        MismatchError: the proof is of another digest, or a block has another Merkle root than the proof leads to.
        PendingError: calendars have promised, no block attests yet.
        UnknownAttestationError: there are only attestations of kinds not known here.
        UnavailableError: block headers can't be had, or a hash function isn't here.
        FormatError: no proof in its one spelling.
    """
    proof = parse_ots(data)
    if proof.digest != digest:
        raise MismatchError(f"proof is of digest {proof.digest.hex()}, expected {digest.hex()}")
    found: list[Timestamp] = []
    unavailable: list[UnavailableError] = []
    for branch, message in iter_messages(proof):
        height = branch.attestation.height
        if height is None:
            continue
        try:
            if isinstance(message, UnavailableError):
                raise message
            header = headers.read(height)
            header.verify_work(least_work)
        except UnavailableError as error:
            unavailable.append(error)
            continue
        if header.merkle_root != message:
            raise MismatchError(
                f"Bitcoin block {height} has Merkle root {header.merkle_root[::-1].hex()}, "
                f"the proof leads to {message[::-1].hex()}"
            )
        found.append(Timestamp(header.time, f"Bitcoin block {height}", BLOCK_TIME_ACCURACY))
    if found:
        return min(found, key=lambda timestamp: timestamp.latest)
    if unavailable:
        raise unavailable[0]
    attestations = [branch.attestation for branch in proof.branches]
    if calendars := list_calendars(proof):
        raise PendingError(
            f"not in a Bitcoin block yet: promised by {', '.join(calendars)}",
            hint="hours after it was made, `wherefrom ledger anchor --upgrade` fetches the rest of the proof",
        )
    tags = ", ".join(sorted({attestation.tag.hex() for attestation in attestations}))
    raise UnknownAttestationError(f"attestations are of unknown kind {tags}, expected by a Bitcoin block")


def list_calendars(proof: Proof) -> list[str]:
    """URIs of the calendars that a proof is pending at."""
    return sorted({b.attestation.calendar for b in proof.branches if b.attestation.calendar is not None})


def is_upgraded(proof: Proof) -> bool:
    """Whether it claims a Bitcoin block; nothing is verified."""
    return any(branch.attestation.height is not None for branch in proof.branches)


def pending(uri: str) -> Attestation:
    """The attestation of a calendar that has promised. Raises FormatError for a URI that none may have."""
    encoded = uri.encode()
    return Attestation(PENDING, _varuint(len(encoded)) + encoded)


def in_block(height: int) -> Attestation:
    """The attestation by a Bitcoin block."""
    return Attestation(BITCOIN, _varuint(height))


def _hash(code: int, message: bytes) -> bytes:
    if code not in _HASHES:
        raise UnavailableError("the proof uses the hash function Keccak-256, which cannot be computed here")
    try:
        return hashlib.new(_HASHES[code], message, usedforsecurity=False).digest()
    except ValueError as error:
        raise UnavailableError(f"the proof uses the hash function {_HASHES[code]}, which this Python lacks") from error


def _parse_uri(payload: bytes) -> str:
    reader = _Reader(payload)
    uri = reader.take_sized(MAX_URI)
    reader.end()
    if not set(uri) <= _URI_BYTES:
        raise FormatError(f"calendar URI {uri!r} has other characters than letters, digits and -._/:")
    return uri.decode()


def _parse_height(payload: bytes) -> int:
    reader = _Reader(payload)
    height = reader.take_varuint(MAX_HEIGHT, what="block height")
    reader.end()
    return height


def _varuint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


@dataclass
class _Reader:
    data: bytes
    at: int = 0

    def take(self, size: int) -> bytes:
        piece = self.data[self.at : self.at + size]
        if len(piece) != size:
            raise FormatError(f"proof ends after {len(self.data)} bytes, in the middle of something")
        self.at += size
        return piece

    def take_varuint(self, most: int, *, what: str) -> int:
        """A number in little-endian base 128, in its shortest form."""
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if value > most or shift > 63:
                raise FormatError(f"proof has a {what} over {most}")
            if byte < 0x80:
                break
            shift += 7
        if byte == 0 and shift:
            raise FormatError(f"proof has a {what} that is not in its shortest form")
        return value

    def take_sized(self, most: int) -> bytes:
        return self.take(self.take_varuint(most, what="length"))

    def end(self) -> None:
        if self.at != len(self.data):
            raise FormatError(f"proof has {len(self.data) - self.at} bytes too many")
