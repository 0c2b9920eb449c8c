"""Outside time for an archive's ledger: timestamps of its checkpoints, got, upgraded, listed, and laid into evidence.

What is timestamped is the SHA-256 of a checkpoint's text: origin, size, root; no signatures. A timestamp that is
there is never replaced by a later one of the same checkpoint, only completed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from wherefrom.anchors import (
    BlockHeader,
    BlockHeaders,
    PendingError,
    Timestamp,
    UnknownAttestationError,
    ask_rfc3161,
    format_ots,
    is_upgraded,
    make_proof,
    parse_ots,
    submit,
    upgrade,
    verify_ots,
    verify_rfc3161,
)
from wherefrom.anchors.bitcoin import MAINNET_LEAST_WORK
from wherefrom.anchors.carried import (
    AUTHORITY,
    MAX_PROOFS,
    OPENTIMESTAMPS,
    RFC3161,
    AnchoredCheckpoint,
    AnchorProof,
    to_json,
)
from wherefrom.anchors.tokens import parse_token
from wherefrom.archive.archive import Archive
from wherefrom.errors import FormatError, UnavailableError, VerificationError, WherefromError
from wherefrom.ledger.cosigned import read_cosigned_checkpoint
from wherefrom.ledger.log import tile_reader
from wherefrom.merkle import prove_consistency_from_tiles
from wherefrom.notes import parse_note
from wherefrom.store import AttestationTables, LedgerTables, StoredAnchor

State = Literal["kept", "there", "pending", "upgraded", "verified", "unknown", "false", "unchecked", "failed"]


@dataclass(frozen=True)
class AnchorState:
    """A timestamp of the checkpoint of `size`, and what is known of it.

    Attributes:
        kind: "rfc3161" or "opentimestamps".
        authority: the URL it was asked at.
        state: "kept" (new), "there" (was there before), "pending" at a calendar, "upgraded" to a block's; "failed":
            nothing was got; after checking: "verified", "false", "unknown" (attestation), "unchecked".
        timestamp: when it was verified.
        problem: why it failed, is false or could not be checked.
    """

    size: int
    kind: str
    authority: str
    state: State
    timestamp: Timestamp | None = None
    problem: str | None = None


def anchor_checkpoint(
    archive: Archive, *, authorities: Sequence[str] = (), calendars: Sequence[str] = (), roots: Sequence[bytes] = ()
) -> list[AnchorState]:
    """Have the newest checkpoint timestamped by each of these, and keep what they give.

    Args:
        authorities: URLs of RFC 3161 authorities.
        calendars: URLs of OpenTimestamps calendars.
        roots: PEM; where given, a token that does not verify is not kept.

    URLs go into evidence files, so a user or password in one is refused: FormatError. One authority that fails stops
    none of the others. Nobody is asked twice about one checkpoint.
    """
    for url in (*authorities, *calendars):
        if not AUTHORITY.fullmatch(url) or "@" in urlsplit(url).netloc:
            raise FormatError("URL of a time authority or calendar names a user, or has characters that no URL has")
    checkpoint, note = archive.checkpoint()
    text = parse_note(note).text.encode()
    there = {(a.kind, a.authority) for a in _list(archive) if a.size == checkpoint.size}

    def stamp(url: str) -> tuple[bytes, Timestamp | None]:
        token = ask_rfc3161(url, text)
        return token, verify_rfc3161(token, _hash(text), roots=roots) if roots else None

    def leave(url: str) -> tuple[bytes, Timestamp | None]:
        return format_ots(submit(url, _hash(text))), None

    done = []
    for kind, urls, ask in ((RFC3161, authorities, stamp), (OPENTIMESTAMPS, calendars, leave)):
        for url in dict.fromkeys(urls):
            if (kind, url) in there:
                done.append(AnchorState(checkpoint.size, kind, url, "there"))
                continue
            done.append(_keep(archive, checkpoint.size, kind, url, ask))
    return done


def upgrade_anchors(archive: Archive, *, calendars: Collection[str] = ()) -> list[AnchorState]:
    """Ask the calendars for what became of each pending proof, and keep it.

    Asked are the calendars that were asked before, and those given here: a proof alone, which a calendar made, does not
    choose whom we call.
    """
    done = []
    for anchor in _list(archive):
        if anchor.kind != OPENTIMESTAMPS:
            continue
        allowed = {url.rstrip("/") for url in (anchor.authority, *calendars)}
        try:
            proof = parse_ots(anchor.proof)
            if is_upgraded(proof):
                continue
            found = upgrade(proof, may_ask=lambda uri, allowed=allowed: uri.rstrip("/") in allowed)  # type: ignore[misc]
        except WherefromError as error:
            done.append(AnchorState(anchor.size, anchor.kind, anchor.authority, "failed", problem=str(error)))
            continue
        if found.proof != proof:
            with archive.writing() as connection:
                tables = AttestationTables(connection)
                [now] = [a for a in tables.list_anchors() if _key(a) == _key(anchor)]
                merged = make_proof(proof.digest, [*found.proof.branches, *parse_ots(now.proof).branches])
                tables.write_anchor(StoredAnchor(anchor.size, anchor.kind, anchor.authority, format_ots(merged)))
        state: State = "upgraded" if is_upgraded(found.proof) else "pending"
        problem = "; ".join(found.problems) or None
        done.append(AnchorState(anchor.size, anchor.kind, anchor.authority, state, problem=problem))
    return done


def list_anchors(
    archive: Archive,
    *,
    roots: Sequence[bytes] = (),
    headers: BlockHeaders | None = None,
    least_work: int = MAINNET_LEAST_WORK,
) -> list[AnchorState]:
    """Every timestamp there is, by size; verified as far as roots and block headers are given."""
    return [_judge(archive, anchor, roots, headers, least_work) for anchor in _list(archive)]


def list_anchors_for(archive: Archive, size: int, *, youngest: int) -> list[dict[str, object]]:
    """What an evidence file with the checkpoint of this size carries as its member `anchors`.

    Of each kind: the oldest checkpoint that has the entry `youngest`, with which all statements of the answer were
    there, and the newest; proofs that name a block go before those that are pending. By every authority that has these.
    """
    with archive.reading() as (tables, _):
        chosen: dict[int, list[StoredAnchor]] = {}
        stored = [a for a in AttestationTables(tables.connection).list_anchors() if a.size <= size]
        for kind in (OPENTIMESTAMPS, RFC3161):
            of_kind = [anchor for anchor in stored if anchor.kind == kind]
            complete = [anchor for anchor in of_kind if kind == RFC3161 or _is_upgraded(anchor)]
            covering = [a.size for a in complete if a.size > youngest] or [a.size for a in of_kind if a.size > youngest]
            sizes = {*covering[:1], *(anchor.size for anchor in of_kind[-1:]), *(a.size for a in complete[-1:])}
            for anchor in of_kind:
                if anchor.size in sizes:
                    chosen.setdefault(anchor.size, []).append(anchor)
        return [to_json(_lead(tables, at, size, chosen[at])) for at in sorted(chosen)]


def _lead(tables: LedgerTables, at: int, size: int, anchors: Iterable[StoredAnchor]) -> AnchoredCheckpoint:
    """A checkpoint with its proofs of time, and the proof that the tree of `size` grew out of its tree."""
    consistency = prove_consistency_from_tiles(at, size, tile_reader(tables))
    proofs = sorted((a.kind, a.authority, a.proof) for a in anchors)[:MAX_PROOFS]
    note = read_cosigned_checkpoint(tables, AttestationTables(tables.connection), at)
    return AnchoredCheckpoint(note, tuple(consistency), tuple(AnchorProof(*proof) for proof in proofs))


def _keep(
    archive: Archive, size: int, kind: str, url: str, ask: Callable[[str], tuple[bytes, Timestamp | None]]
) -> AnchorState:
    try:
        proof, timestamp = ask(url)
        anchor = StoredAnchor(size, kind, url, proof)
        with archive.writing() as connection:
            tables = AttestationTables(connection)
            if any(_key(other) == _key(anchor) for other in tables.list_anchors()):  # somebody else was faster
                return AnchorState(size, kind, url, "there")
            tables.write_anchor(anchor)
    except WherefromError as error:
        return AnchorState(size, kind, url, "failed", problem=str(error))
    return AnchorState(size, kind, url, "verified" if timestamp else "kept", timestamp)


def _judge(
    archive: Archive, anchor: StoredAnchor, roots: Sequence[bytes], headers: BlockHeaders | None, least_work: int
) -> AnchorState:
    state: State
    timestamp, problem = None, None
    try:
        with archive.reading() as (tables, _):
            digest = _hash(parse_note(tables.read_checkpoint(anchor.size)).text.encode())
        if anchor.kind == RFC3161:
            if not roots:
                info = parse_token(anchor.proof).info
                raise UnavailableError(
                    f"claims {info.time.isoformat(timespec='seconds')}; no roots given to check it by"
                )
            timestamp = verify_rfc3161(anchor.proof, digest, roots=roots)
        else:
            timestamp = verify_ots(anchor.proof, digest, headers or _NoHeaders(), least_work=least_work)
        state = "verified"
    except PendingError as error:
        state, problem = "pending", str(error)
    except UnknownAttestationError as error:
        state, problem = "unknown", str(error)
    except VerificationError as error:
        state, problem = "false", str(error)
    except WherefromError as error:
        state, problem = "unchecked", str(error)
    return AnchorState(anchor.size, anchor.kind, anchor.authority, state, timestamp, problem)


class _NoHeaders:
    def read(self, height: int) -> BlockHeader:
        raise UnavailableError(f"claims Bitcoin block {height}; no block headers given to check it by")


def _list(archive: Archive) -> list[StoredAnchor]:
    with archive.reading() as (tables, _):
        return AttestationTables(tables.connection).list_anchors()


def _is_upgraded(anchor: StoredAnchor) -> bool:
    try:
        return is_upgraded(parse_ots(anchor.proof))
    except FormatError:  # a damaged one is complete for nobody
        return False


def _key(anchor: StoredAnchor) -> tuple[int, str, str]:
    return anchor.size, anchor.kind, anchor.authority


def _hash(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()
