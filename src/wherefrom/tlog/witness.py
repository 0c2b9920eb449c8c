"""Being a witness: cosign a log's checkpoint if it grew out of the last one cosigned, and never another.

    witness = Witness([key], log_keys, WitnessState.open(path))
    answer = witness.add_checkpoint(body)      # answer.status is 200 and answer.body the cosignatures, or why not

Source: C2SP tlog-witness. Its answers are those of HTTP, so that a door has nothing left to decide.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from wherefrom.errors import ConsistencyError, FormatError, SignatureError, UnavailableError
from wherefrom.merkle import EMPTY_ROOT, verify_consistency
from wherefrom.notes import (
    ED25519,
    ED25519_COSIGNATURE,
    MAX_COSIGNED_NAME,
    Note,
    Signer,
    VerifierKey,
    format_note,
    format_signatures,
    make_signatures,
    open_checkpoint,
    open_note,
    parse_checkpoint,
    parse_note,
)
from wherefrom.notes.strict import format_base64, parse_base64
from wherefrom.tlog.add_checkpoint import SIZE_TYPE, AddCheckpoint, format_size, parse_add_checkpoint
from wherefrom.tlog.witness_state import NO_COPY, Head, WitnessState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wherefrom.notes import Checkpoint

TEXT_TYPE: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status with its body."""

    status: int
    body: bytes
    content_type: str = TEXT_TYPE


class _Refusal(Exception):  # noqa: N818 - not an error, but the answer
    def __init__(self, status: int, why: str, body: bytes | None = None, content_type: str = TEXT_TYPE) -> None:
        self.answer = Answer(status, f"{why}\n".encode() if body is None else body, content_type)


class Witness:
    """A name, its keys, the logs it knows, and what it cosigned last of each. Safe for many threads."""

    def __init__(
        self,
        signers: Iterable[Signer],
        log_keys: Iterable[VerifierKey],
        state: WitnessState,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Several signers each add a line to every answer.

        Args:
            signers: of a cosigner's type, all of one name: Ed25519, ML-DSA-44, or both.
            log_keys: named like their log's origin; a log may have several, and a signature by any one is enough.

        Raises FormatError: no key, or one that doesn't fit its part. UnavailableError: the state has a cosignature by
        one of these keys that does not hold, so it's not what was stored.
        """
        self.signers = tuple(signers)
        if len({signer.verifier_key.name for signer in self.signers}) != 1:
            raise FormatError("a witness has one name and at least one key")
        for signer in self.signers:
            if signer.verifier_key.key_type == ED25519:
                raise FormatError(f"key {signer.verifier_key.label} is a log's, not a witness's")
        self._logs: dict[str, list[VerifierKey]] = defaultdict(list)
        for key in log_keys:
            if key.key_type == ED25519_COSIGNATURE:
                raise FormatError(f"key {key.label} is a witness's, not a log's")
            if key not in self._logs[key.name]:
                self._logs[key.name].append(key)
        for name in (self.signers[0].verifier_key.name, *self._logs):
            if len(name.encode()) > MAX_COSIGNED_NAME:
                raise FormatError(f"name {name[:60]!r} is longer than the {MAX_COSIGNED_NAME} bytes one can cosign")
        self._state = state
        self._clock = clock
        for head in state.list_heads():
            self._check_head(head)

    def add_checkpoint(self, body: bytes) -> Answer:
        """The answer to `POST add-checkpoint`; what it cosigns is stored, durably, before this returns.

        200 cosigned · 400 malformed · 403 not signed by the log · 404 unknown log · 409 another old size, with the
        right one · 422 not consistent · 503 the clock is behind, or key or state can't be reached.
        """
        try:
            return self._cosign(body)
        except _Refusal as refusal:
            return refusal.answer
        except UnavailableError as error:
            return Answer(503, f"{error}\n".encode())

    def read_checkpoint(self, origin_hash: str) -> bytes:
        """The newest cosigned checkpoint of a log, by its origin's SHA-256 in lower-case hex. Raises NotFoundError."""
        return self._state.read_note(origin_hash)

    def _cosign(self, body: bytes) -> Answer:
        try:
            request = parse_add_checkpoint(body)
            note = parse_note(request.note)
        except FormatError as error:
            raise _Refusal(400, str(error)) from error
        origin = note.text.partition("\n")[0]
        keys = self._logs.get(origin)
        if keys is None:
            raise _Refusal(404, "unknown log")
        checkpoint = _open(request.note, note, keys)
        if request.old_size > checkpoint.size:
            raise _Refusal(400, f"old size {request.old_size} is above the checkpoint's size {checkpoint.size}")
        with self._state.updating(origin) as (head, following):
            verify_follows(request, checkpoint, head)
            time_s = self._now(head)
            lines = make_signatures(note.text, self.signers, time_s=time_s)
            by_label = {line.label: line for line in note.signatures}
            verified = [by_label[key.label] for key in keys if key.label in by_label]
            cosigned = format_note(Note(note.text, (*verified, *lines)))
            following.append(Head(checkpoint.size, checkpoint.root, time_s, cosigned))
        return Answer(200, format_signatures(lines))

    def _check_head(self, head: Head) -> None:
        keys = {signer.verifier_key.label: signer.verifier_key for signer in self.signers}
        if not keys.keys() & {line.label for line in parse_note(head.note).signatures}:
            return  # cosigned with keys of before
        try:
            times = open_note(head.note, keys.values()).times.values()
        except SignatureError as error:
            raise UnavailableError(f"the witness's state is damaged: {error}", hint=NO_COPY) from error
        if {at and at.timestamp() for at in times} != {head.time_s}:
            raise UnavailableError("the witness's state is damaged: a time is not the one signed", hint=NO_COPY)

    def _now(self, head: Head | None) -> int:
        """Seconds since 1970 UTC, never before the last cosignature."""
        now_s, last_s = int(self._clock().timestamp()), head.time_s if head else 1
        if now_s < last_s:
            raise UnavailableError(f"this witness's clock says {now_s}, its last cosignature {last_s}")
        return now_s


def verify_follows(request: AddCheckpoint, checkpoint: Checkpoint, head: Head | None) -> None:
    """The heart of it: may a witness whose last word was `head` cosign this? Raises the refusal."""
    old_size, old_root = (head.size, head.root) if head else (0, EMPTY_ROOT)
    if request.old_size != old_size:
        raise _Refusal(409, "", format_size(old_size), SIZE_TYPE)
    try:
        verify_consistency(
            old_size=old_size,
            old_root=old_root,
            new_size=checkpoint.size,
            new_root=checkpoint.root,
            proof=request.proof,
        )
    except ConsistencyError as error:
        raise _Refusal(422, str(error)) from error


def _open(data: bytes, note: Note, keys: list[VerifierKey]) -> Checkpoint:
    try:
        return open_checkpoint(data, keys)
    except SignatureError as error:
        raise _Refusal(403, str(error)) from error
    except FormatError as error:
        status = 422 if _is_wrong_only_in_its_empty_root(note.text) else 400
        raise _Refusal(status, str(error)) from error


def _is_wrong_only_in_its_empty_root(text: str) -> bool:
    """Size 0 with a hash that is not the empty tree's, for which the document has an answer of its own."""
    origin, *rest = text.split("\n")
    if rest[:1] != ["0"]:
        return False
    try:
        parse_checkpoint("\n".join((origin, "0", format_base64(EMPTY_ROOT), *rest[2:])))
        return len(parse_base64(rest[1], what="root hash")) == len(EMPTY_ROOT)
    except FormatError:
        return False
