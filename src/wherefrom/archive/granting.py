"""Who may do what in an archive: recording grants, tokens and sessions, ending them, and reading what they add up to.

These statements are signed with the ledger's own key, and no others count: a producer, whose statements the archive
takes too, must not be able to make itself an administrator. On whose word it was done is in the statement, as `by`.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from wherefrom.archive.archive import Archive
from wherefrom.archive.erasing import record_as_ledger
from wherefrom.errors import ConflictError, NotFoundError, SignatureError, UnavailableError
from wherefrom.ledger import Receipt
from wherefrom.statements import (
    ACCESS_POLICY,
    DENIAL,
    GRANT,
    SESSION,
    TOKEN,
    AccessBook,
    Grant,
    Reach,
    Session,
    Statement,
    Subject,
    Token,
    format_time,
    format_token,
    ledger_subject,
    make_access_statement,
    parse_entry,
    parse_envelope,
    parse_statement,
    parse_time,
)

RECHECK_S: Final = 0.5
"""How long what another process recorded may go unnoticed."""
TOKEN_DAYS: Final = 90
FIRST_ADMIN: Final = "user:admin"
FIRST_BY: Final = "wherefrom serve --init"


@dataclass(frozen=True)
class Access:
    """A book of access, and the size as of which it is asked."""

    book: AccessBook
    size: int


class LiveAccess:
    """The book of an archive, kept up with what is recorded. Safe for many threads."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._book = AccessBook(archive.origin)
        self._access = Access(self._book, 0)
        self._checked = float("-inf")
        self._lock = threading.Lock()

    def now(self) -> Access:
        """What is known now: the same object while nothing is new, and never more than `RECHECK_S` behind.

        Raises UnavailableError when the database can't be asked.
        """
        now = time.monotonic()
        return self._access if now - self._checked <= RECHECK_S else self._read(now)

    def refresh(self) -> Access:
        """What is known now, asked of the database at once."""
        return self._read(time.monotonic())

    def _read(self, since: float) -> Access:
        """What is known since an instant: of many threads that come at once, one asks for all."""
        with self._lock:
            asked = time.monotonic()
            if self._checked >= since:
                return self._access
            if size := _feed(self._archive, self._book, self._access.size):
                self._access = Access(self._book, size)
            self._checked = asked
            return self._access


def read_access(archive: Archive, *, as_of: int | None = None) -> Access:
    """The book of an archive as of a tree size; None for now."""
    book = AccessBook(archive.origin)
    size = _feed(archive, book, 0)
    return Access(book, size if as_of is None else as_of)


def parse_at(archive: Archive, text: str | None) -> tuple[int, datetime]:
    """A tree size and an instant: of an entry's index, of a time (RFC 3339, or a day to its end), or of now."""
    if text is None:
        return archive.size(), datetime.now(UTC)
    size = archive.parse_as_of(text)
    if not text.isdecimal():
        is_day = "T" not in text.upper()
        at = parse_time(f"{text}T00:00:00Z" if is_day else text, what="at")
        return size, at + timedelta(days=1, microseconds=-1) if is_day else at
    with archive.reading() as (tables, _):
        return size, parse_entry(tables.read_entries([size - 1])[0].entry).received


def _feed(archive: Archive, book: AccessBook, start: int) -> int:
    """Add what the entries from `start` on say to the book; one above the last of them, or 0 when there are none."""
    with archive.reading() as (tables, views):
        indexes = views.list_access_entries(start)
        for stored in tables.read_entries(indexes):
            statement = parse_statement(parse_envelope(stored.envelope).payload) if stored.envelope else None
            book.add(parse_entry(stored.entry), statement, index=stored.index, statement_id=stored.leaf_hash.hex())
    return indexes[-1] + 1 if indexes else 0


# --- recording -------------------------------------------------------------------------------------------------------


def grant(
    archive: Archive, principal: str, role: str, namespaces: str, *, by: str, reason: str | None = None
) -> Receipt:
    """Give a principal a role in the namespaces that a pattern covers; what they have already is not given twice."""
    book = read_access(archive)
    for held in book.book.grants_of(principal, as_of=book.size):
        if (held.role, held.namespaces) == (role, namespaces):
            return Receipt(held.index, held.statement_id, is_new=False)
    predicate = {"action": "grant", "principal": principal, "role": role, "namespaces": namespaces}
    return record_access(archive, GRANT, predicate | _said(by, reason))


def revoke(
    archive: Archive, principal: str, role: str, namespaces: str, *, by: str, reason: str | None = None
) -> list[Receipt]:
    """Take a role back where it was given with exactly this pattern. Raises NotFoundError: it was not."""
    access = read_access(archive)
    held = [
        one
        for one in access.book.grants_of(principal, as_of=access.size)
        if (one.role, one.namespaces) == (role, namespaces)
    ]
    if not held:
        raise NotFoundError(f"{principal} has no grant of {role} in {namespaces!r}")
    return [end(archive, one, by=by, reason=reason) for one in held]


def end(archive: Archive, said: Grant | Token | Session, *, by: str, reason: str | None = None) -> Receipt:
    """End a grant, a token or a session."""
    kind = GRANT if isinstance(said, Grant) else TOKEN if isinstance(said, Token) else SESSION
    return record_access(archive, kind, {"action": "revoke", "revokes": said.statement_id} | _said(by, reason))


def issue_token(
    archive: Archive,
    principal: str,
    *,
    by: str,
    expires: datetime | None = None,
    reach: Reach = Reach(),  # noqa: B008 - frozen
    reason: str | None = None,
) -> tuple[str, str, datetime]:
    """A new token: its text, which is kept nowhere, its id, and when it expires; in `TOKEN_DAYS` days by default."""
    text = format_token(number := secrets.token_bytes(8), secrets.token_bytes(32))
    expires = expires or datetime.now(UTC) + timedelta(days=TOKEN_DAYS)
    predicate: dict[str, Any] = {
        "action": "issue",
        "tokenId": number.hex(),
        "principal": principal,
        # It has 256 random bits, so nobody finds it by trying, and a slow hash would slow down each request.
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "expires": format_time(expires),
    }
    if reach.roles is not None:
        predicate["roles"] = sorted(reach.roles)
    if reach.namespaces is not None:
        predicate["namespaces"] = sorted(set(reach.namespaces))
    record_access(archive, TOKEN, predicate | _said(by, reason))
    return text, number.hex(), expires


def begin_session(
    archive: Archive, principal: str, *, groups: Sequence[str], issuer: str, expires: datetime, session_id: str
) -> Receipt:
    """Record a person's login; `groups` as the provider names them."""
    predicate = {
        "action": "begin",
        "sessionId": session_id,
        "principal": principal,
        "groups": sorted(set(groups)),
        "issuer": issuer,
        "expires": format_time(expires),
    }
    return record_access(archive, SESSION, predicate)


def record_policy(archive: Archive, access: Access, *, files: Sequence[tuple[str, str]], schema: str) -> bool:
    """Record the policies in use, unless they are those recorded last; whether that was needed."""
    known = access.book.policy(as_of=access.size)
    if known is not None and (known.files, known.schema) == (tuple(files), schema):
        return False
    listed = [{"name": name, "text": text} for name, text in files]
    record_access(archive, ACCESS_POLICY, {"files": listed, "schema": schema, "at": format_time(datetime.now(UTC))})
    return True


def record_denials(archive: Archive, denials: Sequence[dict[str, Any]]) -> list[Receipt]:
    """Record that somebody asked for more than they may; each predicate as docs/spec/statements.md has it."""
    return _record(archive, [make_access_statement(DENIAL, one, ledger=_ledger(archive)) for one in denials])


def make_first_admin(archive: Archive) -> str:
    """Give somebody to begin with every role everywhere, and the text of a token that acts as them.

    Of several that do it at once, in whatever processes, one gets the token. Raises ConflictError: somebody is an
    admin of all namespaces already.
    """
    access = read_access(archive)
    for held in access.book.grants(as_of=access.size):
        if (held.role, held.namespaces) == ("admin", "*"):
            raise _is_admin(held.principal, held.index)
    # All who find the archive as it is say the same, byte for byte, and the ledger takes that once. What nothing but
    # the ledger says must be in it, then, and of several admins, one after the other, each is another.
    ended = access.book.last_grant("admin", "*")
    predicate = {"action": "grant", "principal": FIRST_ADMIN, "role": "admin", "namespaces": "*", "by": FIRST_BY}
    predicate["at"] = format_time(ended.received if ended else _read_beginning(archive))
    if ended:
        predicate["reason"] = f"the grant of entry {ended.index} was ended, and nobody else is an admin"
    receipt = record_access(archive, GRANT, predicate)
    if not receipt.is_new:
        raise _is_admin(FIRST_ADMIN, receipt.index)
    text, _, _ = issue_token(archive, FIRST_ADMIN, by=FIRST_BY)
    return text


def _is_admin(principal: str, index: int) -> ConflictError:
    return ConflictError(
        f"{principal} is an admin already, by entry {index}",
        hint="`wherefrom access token PRINCIPAL` makes another token, for who has the archive's folder",
    )


def _read_beginning(archive: Archive) -> datetime:
    """When the first entry was received, which states the archive's own key."""
    with archive.reading() as (tables, _):
        if not tables.size():
            raise UnavailableError(f"{archive.folder} is still being made", hint="start again in a moment")
        return parse_entry(tables.read_entries([0])[0].entry).received


def record_access(archive: Archive, kind: str, predicate: dict[str, Any]) -> Receipt:
    """Record one statement on access, durably. Raises FormatError, and what `Archive.record_envelopes` raises."""
    [receipt] = _record(archive, [make_access_statement(kind, predicate, ledger=_ledger(archive))])
    return receipt


def _said(by: str, reason: str | None) -> dict[str, str]:
    return {"by": by, "at": format_time(datetime.now(UTC)), **({"reason": reason} if reason else {})}


def _ledger(archive: Archive) -> Subject:
    return ledger_subject(archive.origin, archive.log_key.public)


def _record(archive: Archive, statements: Sequence[Statement]) -> list[Receipt]:
    try:
        return record_as_ledger(archive, *statements)
    except SignatureError:  # the key may have been changed meanwhile: it is read again
        return record_as_ledger(archive, *statements)
