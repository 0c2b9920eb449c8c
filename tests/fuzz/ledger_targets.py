"""Targets of the rooms that every reader of a ledger goes through: strict, notes, merkle, statements.

A target names the parser, which may raise what it documents and nothing else, and is the law for what it reads: that
written and read again it is the same, byte for byte where the format has one spelling.
"""

from __future__ import annotations

import contextlib
from typing import Any

import seeds
from target import KIB, target, text, written

from wherefrom.errors import ConsistencyError, FormatError, InclusionError, SignatureError, UnavailableError
from wherefrom.lineage.shape import format_shape, parse_shape, ports
from wherefrom.lineage.shaping import shape_of
from wherefrom.merkle import (
    EMPTY_ROOT,
    HASH_SIZE,
    format_entries_path,
    format_tile_path,
    parse_entries_path,
    parse_tile_path,
    prove_consistency_from_tiles,
    prove_inclusion_from_tiles,
    root_from_tiles,
    verify_consistency,
    verify_inclusion,
)
from wherefrom.notes import (
    format_checkpoint,
    format_note,
    format_policy,
    format_signing_key,
    format_verifier_key,
    open_checkpoint,
    parse_checkpoint,
    parse_note,
    parse_policy,
    parse_signing_key,
    parse_verifier_key,
)
from wherefrom.statements import (
    check_statement,
    event_of,
    format_entry,
    format_envelope,
    format_statement,
    parse_checked,
    parse_entry,
    parse_envelope,
    parse_event_statement,
    parse_json,
    parse_statement,
)
from wherefrom.strict import format_plain

# --- strict -----------------------------------------------------------------------------------------------------------


@target(parse_json, seeds.json_documents, most=64 * KIB, cost=4)
def strict_json(data: bytes, value: Any) -> None:
    assert parse_json(format_plain(value)) == value


# --- events -----------------------------------------------------------------------------------------------------------


@target(parse_event_statement, seeds.openlineage_events, most=64 * KIB, cost=4)
def openlineage_event(data: bytes, value: Any) -> None:
    """Whatever it says: kept as it came, read the same way by the next reader, and every problem is in it."""
    assert value.predicate_bytes == data
    again = parse_checked(format_statement(value))
    assert again == value
    assert event_of(again) == event_of(value)
    numbers: dict[tuple[str, str], int] = {}

    def number_of(namespace: str, name: str) -> int:
        return numbers.setdefault((namespace, name), len(numbers) + 1)

    shape = shape_of(event_of(value), number_of, number_of)
    assert parse_shape(format_shape(shape)) == shape
    assert {n for n, _ in shape.inputs} <= {n for port in ports(shape) for n, _ in port.sources}


# --- notes ------------------------------------------------------------------------------------------------------------


@target(parse_note, seeds.notes)
def note(data: bytes, value: Any) -> None:
    assert format_note(value) == data


@target(text(parse_checkpoint), seeds.checkpoints)
def checkpoint(data: bytes, value: Any) -> None:
    assert format_checkpoint(value) == written(data)


@target(text(parse_verifier_key), seeds.verifier_keys)
def verifier_key(data: bytes, value: Any) -> None:
    assert format_verifier_key(value) == written(data)


@target(text(parse_signing_key), seeds.signing_keys)
def signing_key(data: bytes, value: Any) -> None:
    assert format_signing_key(value) == written(data)


@target(parse_policy, seeds.policies, raises=[FormatError, UnavailableError])
def policy(data: bytes, value: Any) -> None:
    assert parse_policy(format_policy(value)) == value


_TESSERA = parse_verifier_key(seeds.read("merkle/tessera-log-of-15.json")["vkey"])
_CHECKPOINTS = seeds.read("merkle/tessera-log-of-15.json")["checkpoints"].values()
_SIGNED = {parse_note(signed.encode()).text for signed in _CHECKPOINTS}


@target(lambda data: open_checkpoint(data, [_TESSERA]), seeds.notes, raises=[FormatError, SignatureError])
def signed_checkpoint(data: bytes, value: Any) -> None:
    """What opens is one of the checkpoints that were signed, whatever else the note was made to hold."""
    assert format_checkpoint(value) in _SIGNED


# --- the tree ---------------------------------------------------------------------------------------------------------


@target(text(parse_tile_path), seeds.tile_paths)
def tile_path(data: bytes, value: Any) -> None:
    assert format_tile_path(*value) == written(data)


@target(text(parse_entries_path), seeds.entries_paths)
def entries_path(data: bytes, value: Any) -> None:
    assert format_entries_path(*value) == written(data)


def _split(data: bytes) -> tuple[int, int, list[bytes]]:
    """Two numbers of eight bytes, then at least two pieces of 32 bytes, the last of which may be shorter."""
    pieces = [data[at : at + HASH_SIZE] for at in range(16, len(data), HASH_SIZE)]
    return int.from_bytes(data[:8]), int.from_bytes(data[8:16]), [*pieces, b"", b""] if len(pieces) < 2 else pieces


def _verify_inclusion(data: bytes) -> None:
    index, size, (leaf, root, *proof) = _split(data)
    verify_inclusion(leaf, index=index, size=size, proof=proof, root=root)


@target(_verify_inclusion, lambda: seeds.proofs_of("inclusion"), raises=[InclusionError])
def inclusion_proof(data: bytes, value: Any) -> None:
    """None verifies but those made; a number may differ where the path looks the same (ledger-formats.md)."""
    index, size, (leaf, root, *_) = _split(data)
    made = {known[16:] for known in seeds.proofs_of("inclusion")}
    assert data[16:] in made or (index, size, leaf) == (0, 1, root)


def _verify_consistency(data: bytes) -> None:
    old, new, (old_root, new_root, *proof) = _split(data)
    verify_consistency(old_size=old, old_root=old_root, new_size=new, new_root=new_root, proof=proof)


@target(_verify_consistency, lambda: seeds.proofs_of("consistency"), raises=[ConsistencyError])
def consistency_proof(data: bytes, value: Any) -> None:
    old, new, (old_root, new_root, *_) = _split(data)
    made = {known[16:] for known in seeds.proofs_of("consistency")}
    assert data[16:] in made or (old == new and old_root == new_root) or old_root == EMPTY_ROOT


def _walk_tiles(data: bytes) -> int:
    """Root and proofs of a tree of any size whose tiles are all the same foreign bytes; gives how many were read."""
    number = int.from_bytes(data[:8].ljust(8, b"\0"))
    size, reads = number >> (number & 63), 0

    def read(level: int, index: int, width: int) -> bytes:
        nonlocal reads
        reads += 1
        return data[8 : 8 + width * HASH_SIZE]

    root_from_tiles(size, read)
    if size:
        prove_inclusion_from_tiles(number % size, size, read)
        prove_consistency_from_tiles(number % size, size, read)
    return reads


@target(_walk_tiles, seeds.tiles, most=16 * KIB, cost=20)
def tiles(data: bytes, value: Any) -> None:
    """The tile at the right edge of each of eight levels is read once for each, and one more in a proof."""
    assert value <= 5 * 8


# --- statements -------------------------------------------------------------------------------------------------------


@target(parse_envelope, seeds.envelopes, most=64 * KIB, cost=2)
def envelope(data: bytes, value: Any) -> None:
    assert format_envelope(value) == data


@target(parse_statement, seeds.statements, most=64 * KIB, cost=2)
def statement(data: bytes, value: Any) -> None:
    assert parse_statement(format_statement(value)) == value
    with contextlib.suppress(FormatError):
        check_statement(value)


@target(parse_entry, seeds.entries, most=64 * KIB, cost=2)
def entry(data: bytes, value: Any) -> None:
    assert format_entry(value) == data
