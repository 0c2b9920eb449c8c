"""OpenTimestamps calendars: leaving a digest there, and fetching later how it got into a Bitcoin block.

A calendar's answer is only ever added to a proof; what it is worth, `verify_ots` says.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wherefrom.anchors.ots import (
    APPEND,
    SHA256,
    Branch,
    Operation,
    Proof,
    iter_messages,
    make_proof,
    parse_branches,
)
from wherefrom.errors import FormatError, UnavailableError
from wherefrom.fetch import Reply, request

MAX_REPLY_BYTES: Final = 10_000  # as other clients have it
_ACCEPT: Final = "application/vnd.opentimestamps.v1"
_NONCE_SIZE: Final = 16


@dataclass(frozen=True)
class Upgrade:
    """A proof with what calendars had to add, and what kept others from adding: a sentence for each."""

    proof: Proof
    problems: tuple[str, ...]


def submit(calendar: str, digest: bytes) -> Proof:
    """Leave a digest at the calendar with this URL: a proof that is pending there.

    The calendar sees the hash of the digest with random bytes after it, from which nobody learns the digest.

    Raises UnavailableError, and FormatError for an answer that makes no proof.
    """
    blind = (Operation(APPEND, secrets.token_bytes(_NONCE_SIZE)), Operation(SHA256))
    message = digest
    for operation in blind:
        message = operation.apply(message)
    headers = {"Accept": _ACCEPT, "Content-Type": "application/x-www-form-urlencoded"}
    url = _join(calendar, "digest")
    reply = request("POST", url, body=message, headers=headers, max_bytes=MAX_REPLY_BYTES)
    if reply.status != 200:
        raise UnavailableError(f"{url} answers with status {reply.status}, expected 200")
    return make_proof(digest, _after(blind, parse_branches(reply.body)))


def upgrade(proof: Proof, *, may_ask: Callable[[str], bool]) -> Upgrade:
    """Ask each calendar that the proof is pending at for the rest of the way to a block.

    Args:
        proof: of any digest.
        may_ask: whether to ask the calendar with this URI. A calendar made the proof, and must not choose whom we call.

    An answer may itself be pending, elsewhere. A pending attestation stays, beside what was fetched for it.
    """
    added: list[Branch] = []
    problems: list[str] = []
    for branch, message in iter_messages(proof):
        calendar = branch.attestation.calendar
        if calendar is None:
            continue
        if not may_ask(calendar):
            problems.append(f"{calendar} was not asked, because the proof alone names it: allow it to ask it")
            continue
        try:
            if isinstance(message, UnavailableError):
                raise message
            fresh = _after(branch.operations, _fetch(calendar, message))
            make_proof(proof.digest, [*proof.branches, *added, *fresh])
        except (UnavailableError, FormatError) as error:
            problems.append(f"{calendar}: {error}")
        else:
            added += fresh
    return Upgrade(make_proof(proof.digest, [*proof.branches, *added]), tuple(problems))


def _fetch(calendar: str, message: bytes) -> list[Branch]:
    url = _join(calendar, f"timestamp/{message.hex()}")
    reply = request("GET", url, headers={"Accept": _ACCEPT}, max_bytes=MAX_REPLY_BYTES)
    if reply.status == 404:
        raise UnavailableError(f"not in a block yet: {_sanitise(reply)}")
    if reply.status != 200:
        raise UnavailableError(f"{url} answers with status {reply.status}, expected 200")
    return parse_branches(reply.body)


def _after(operations: tuple[Operation, ...], branches: list[Branch]) -> list[Branch]:
    return [Branch((*operations, *branch.operations), branch.attestation) for branch in branches]


def _join(calendar: str, path: str) -> str:
    return f"{calendar.rstrip('/')}/{path}"


def _sanitise(reply: Reply) -> str:
    """What a calendar says, on one line, without anything that a terminal would act on."""
    text = reply.body[:160].decode("ascii", "replace")
    return "".join(c if c.isalnum() or c in " #-.,;" else "_" for c in text) or "it says nothing"
