"""Asking witnesses, any that speak C2SP tlog-witness, for cosignatures; what they answer is verified, then believed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wherefrom import fetch
from wherefrom.errors import ConflictError, FormatError, SignatureError, UnavailableError, WherefromError
from wherefrom.notes import MAX_NOTE_BYTES, Note, VerifierKey, format_note, open_note, parse_checkpoint, parse_note
from wherefrom.notes.note import parse_signatures
from wherefrom.tlog.add_checkpoint import SIZE_TYPE, AddCheckpoint, format_add_checkpoint, parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wherefrom.notes import NoteSignature, TrustPolicy

TIMEOUT_S: Final = 30.0
MAX_ATTEMPTS: Final = 3
"""The first may have an old size of long ago; while one asks, somebody else's checkpoint may come between."""

_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class WitnessAddress:
    """Where a witness takes checkpoints, and the keys one knows of it: one or more."""

    url: str
    keys: tuple[VerifierKey, ...]


@dataclass(frozen=True, slots=True)
class WitnessAnswer:
    """What became of asking: verified cosignatures, at least one, or a problem."""

    address: WitnessAddress
    signatures: tuple[NoteSignature, ...] = ()
    problem: WherefromError | None = None


def list_addresses(policy: TrustPolicy) -> list[WitnessAddress]:
    """The witnesses of a policy that have a URL; lines with one URL are one witness with several keys."""
    by_url: dict[bytes, list[VerifierKey]] = {}
    for witness in policy.witnesses:
        if witness.url:
            by_url.setdefault(witness.url, []).append(witness.key)
    return [WitnessAddress(url.decode("utf-8", "replace"), tuple(keys)) for url, keys in by_url.items()]


def ask_witnesses(
    addresses: Sequence[WitnessAddress],
    note: bytes,
    *,
    old_size: Callable[[WitnessAddress], int],
    prove: Callable[[int, int], Sequence[bytes]],
    timeout_s: float = TIMEOUT_S,
) -> list[WitnessAnswer]:
    """Ask several at once, each answer by itself, in the order given. Arguments are as `ask_witness` has them."""

    def ask(address: WitnessAddress) -> WitnessAnswer:
        try:
            lines = ask_witness(address, note, old_size=old_size(address), prove=prove, timeout_s=timeout_s)
        except WherefromError as error:
            return WitnessAnswer(address, problem=error)
        return WitnessAnswer(address, lines)

    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        return list(pool.map(ask, addresses))


def ask_witness(
    address: WitnessAddress,
    note: bytes,
    *,
    old_size: int,
    prove: Callable[[int, int], Sequence[bytes]],
    timeout_s: float = TIMEOUT_S,
) -> tuple[NoteSignature, ...]:
    """Have a witness cosign a checkpoint.

    Args:
        note: the checkpoint, signed by its log.
        old_size: that the witness cosigned last, as far as one knows; 0 if one doesn't. It says if that is wrong.
        prove: the consistency proof between two sizes.

    Returns its lines by keys that one knows of it, verified.

    Raises SignatureError: its line does not verify, or it is by none of its keys. ConflictError: it has cosigned a
    larger tree of this log. UnavailableError: it did not answer, or refused; the message has its status and words.
    """
    text = parse_note(note).text
    checkpoint = parse_checkpoint(text)
    url = f"{address.url.rstrip('/')}/add-checkpoint"
    for _ in range(MAX_ATTEMPTS):
        proof = tuple(prove(old_size, checkpoint.size))
        body = format_add_checkpoint(AddCheckpoint(old_size, proof, note))
        reply = fetch.post(url, body, content_type="text/plain", max_bytes=MAX_NOTE_BYTES, timeout_s=timeout_s)
        if reply.status == 200:
            return _read_cosignatures(address, text, reply.body)
        if reply.status != 409 or reply.headers.get("content-type", "").split(";")[0].strip() != SIZE_TYPE:
            raise UnavailableError(f"witness {address.url} answered {reply.status}: {_quote(reply.body)}")
        try:
            old_size = parse_size(reply.body)
        except FormatError as error:
            raise UnavailableError(f"witness {address.url} answered 409 with {_quote(reply.body)}") from error
        if old_size > checkpoint.size:
            raise ConflictError(
                f"witness {address.url} has cosigned size {old_size} of {checkpoint.origin}, this is {checkpoint.size}",
                hint="a newer checkpoint was sent before; if there is none, the ledger was rolled back",
            )
    raise UnavailableError(f"witness {address.url} named another old size {MAX_ATTEMPTS} times; it is busy")


def _read_cosignatures(address: WitnessAddress, text: str, body: bytes) -> tuple[NoteSignature, ...]:
    try:
        lines = parse_signatures(body.decode("utf-8"))
    except ValueError as error:  # FormatError is one too
        raise UnavailableError(f"witness {address.url} answered with no signature lines: {_quote(body)}") from error
    labels = {key.label for key in address.keys}
    known = tuple(line for line in lines if line.label in labels)
    if not known:
        seen, expected = ", ".join(line.label for line in lines), ", ".join(labels)
        raise SignatureError(f"witness {address.url} signed as {seen}, expected {expected}")
    opened = open_note(format_note(Note(text, known)), address.keys)
    if not all(opened.times.values()):
        raise SignatureError(f"witness {address.url} names no time in its cosignature")
    return known


def _quote(body: bytes) -> str:
    return repr(body[:200].decode("utf-8", "replace").strip())
