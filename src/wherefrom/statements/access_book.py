"""Who has what role, token and session: what the statements on access of a ledger add up to, as of any of its sizes.

    book = AccessBook(origin)
    book.add(entry, statement, index=index, statement_id=statement_id)   # in ledger order
    book.grants(as_of=size)

Source: docs/spec/statements.md, section 6.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wherefrom.statements.access import ACCESS_KINDS, ACCESS_POLICY, DENIAL, GRANT, TOKEN, Reach, is_covered
from wherefrom.statements.entry import Entry
from wherefrom.statements.kinds import CORRECTION
from wherefrom.statements.statement import Statement
from wherefrom.statements.times import format_time, parse_time


@dataclass(frozen=True)
class Said:
    """A statement on access where it lies in the ledger."""

    index: int
    statement_id: str
    received: datetime


@dataclass(frozen=True)
class Grant(Said):
    """`principal` has `role` in the namespaces that the pattern covers; `by` whose word."""

    principal: str
    role: str
    namespaces: str
    by: str
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As the command line and the server say it."""
        return {
            "principal": self.principal,
            "role": self.role,
            "namespaces": self.namespaces,
            "by": self.by,
            "reason": self.reason,
            "since": format_time(self.received),
            "index": self.index,
            "statementId": self.statement_id,
        }


@dataclass(frozen=True)
class Token(Said):
    """Who sends the text with this SHA-256 (32 bytes) acts as `principal`, as far as `reach`, until `expires`."""

    token_id: str
    principal: str
    sha256: bytes
    expires: datetime
    reach: Reach
    by: str

    def to_json(self) -> dict[str, Any]:
        """As the command line and the server say it; nothing in it lets anybody act."""
        return {
            "tokenId": self.token_id,
            "principal": self.principal,
            "roles": sorted(self.reach.roles) if self.reach.roles is not None else None,
            "namespaces": list(self.reach.namespaces) if self.reach.namespaces is not None else None,
            "expires": format_time(self.expires),
            "by": self.by,
            "index": self.index,
            "statementId": self.statement_id,
        }


@dataclass(frozen=True)
class Session(Said):
    """A person logged in; `groups` as the provider `issuer` named them then, without `group:`."""

    session_id: str
    principal: str
    groups: tuple[str, ...]
    issuer: str
    expires: datetime


@dataclass(frozen=True)
class AccessPolicy(Said):
    """The Cedar policies in force from here on: name and text of each file, and the schema."""

    files: tuple[tuple[str, str], ...]
    schema: str


class AccessBook:
    """All statements on access of one ledger, and which of them hold as of any of its sizes.

    A statement counts only if a key of the log signed it: else whoever may record could make themselves an
    administrator. Nothing is forgotten: each question is asked as of a size, and answered as it would have been then,
    also while another thread adds what comes behind that.
    """

    def __init__(self, origin: str) -> None:
        """`origin`: the ledger's name, which its own keys bear, and no others (docs/spec/statements.md, section 5)."""
        self._origin = origin
        self._kinds: dict[int, str] = {}
        self._indexes: dict[str, int] = {}  # by statement id
        self._grants: dict[str, list[Grant]] = {}
        self._tokens: dict[str, Token] = {}
        self._sessions: dict[str, Session] = {}
        self._policies: list[AccessPolicy] = []
        self._ended_by: dict[int, list[int]] = {}
        self._taken_back_by: dict[int, int] = {}

    def add(self, entry: Entry, statement: Statement | None, *, index: int, statement_id: str) -> None:
        """Take in an entry, in ledger order; what is of no use here is passed over.

        `statement` is None when its text was erased: then what it gave is gone, and what it ended stays ended, since
        the entry itself names that.
        """
        if not any(label.rpartition("+")[0] == self._origin for label in entry.key_ids):
            return
        named = next((d for a, _, d in (s.partition(":") for s in entry.subjects) if a == "wf-entry-1"), None)
        target = self._indexes.get(named) if named else None
        if entry.kind == CORRECTION and target is not None:
            self._taken_back_by.setdefault(target, index)
        if entry.kind not in ACCESS_KINDS or entry.kind == DENIAL:
            return
        self._kinds[index], self._indexes[statement_id] = entry.kind, index
        if named:
            if target is not None and self._kinds[target] == entry.kind:
                self._ended_by.setdefault(target, []).append(index)
        elif statement is not None:
            self._give(statement.predicate, entry.kind, Said(index, statement_id, entry.received))

    def _give(self, predicate: Mapping[str, Any], kind: str, said: Said) -> None:
        where = (said.index, said.statement_id, said.received)
        if kind == GRANT:
            names = (predicate["principal"], predicate["role"], predicate["namespaces"])
            grant = Grant(*where, *names, predicate["by"], predicate.get("reason"))
            self._grants.setdefault(grant.principal, []).append(grant)
        elif kind == ACCESS_POLICY:
            files = tuple((file["name"], file["text"]) for file in predicate["files"])
            self._policies.append(AccessPolicy(*where, files, predicate["schema"]))
        else:
            expires = parse_time(predicate["expires"], what=f"statement {said.index}", path="$.predicate.expires")
            principal = predicate["principal"]
            if kind == TOKEN:
                roles, namespaces = predicate.get("roles"), predicate.get("namespaces")
                reach = Reach(frozenset(roles) if roles else None, tuple(namespaces) if namespaces else None)
                digest = bytes.fromhex(predicate["sha256"])
                token = Token(*where, predicate["tokenId"], principal, digest, expires, reach, predicate["by"])
                self._tokens.setdefault(token.token_id, token)
            else:
                groups = tuple(predicate["groups"])
                session = Session(*where, predicate["sessionId"], principal, groups, predicate["issuer"], expires)
                self._sessions.setdefault(session.session_id, session)

    def holds(self, said: Said, as_of: int) -> bool:
        """Whether a statement was made by then, and neither ended nor taken back."""
        return self._stands(said.index, as_of) and not any(
            self._stands(index, as_of) for index in self._ended_by.get(said.index, ())
        )

    def _stands(self, index: int, as_of: int) -> bool:
        return index < as_of and not self._taken_back_by.get(index, as_of) < as_of

    def grants(self, *, as_of: int) -> Iterator[Grant]:
        """Those that hold, by principal."""
        for principal in list(self._grants):
            yield from self.grants_of(principal, as_of=as_of)

    def grants_of(self, principal: str, *, as_of: int) -> list[Grant]:
        """Those of this one name that hold, in the order in which they were made."""
        return [grant for grant in self._grants.get(principal, ()) if self.holds(grant, as_of)]

    def names(self, principal: str) -> bool:
        """Whether anything was ever granted to this name."""
        return principal in self._grants

    def grants_in(self, namespace: str, *, as_of: int) -> list[Grant]:
        """Those that hold in a namespace, in the order in which they were made."""
        found = [grant for grant in self.grants(as_of=as_of) if is_covered(namespace, grant.namespaces)]
        return sorted(found, key=lambda grant: grant.index)

    def last_grant(self, role: str, namespaces: str) -> Grant | None:
        """The newest of a role with just this pattern, to whomever, whether it holds or not."""
        given = [grant for listed in list(self._grants.values()) for grant in listed]
        found = [grant for grant in given if (grant.role, grant.namespaces) == (role, namespaces)]
        return max(found, key=lambda grant: grant.index, default=None)

    def find_grant(self, statement_id: str) -> Grant | None:
        """By its statement's id, whether it holds or not."""
        index = self._indexes.get(statement_id)
        return next((grant for listed in list(self._grants.values()) for grant in listed if grant.index == index), None)

    def find_token(self, token_id: str, *, as_of: int) -> Token | None:
        """If it holds; whether it has expired is for the caller to say."""
        token = self._tokens.get(token_id)
        return token if token and self.holds(token, as_of) else None

    def tokens(self, *, as_of: int) -> list[Token]:
        """Those that hold, expired ones too, in the order in which they were issued."""
        return [token for token in list(self._tokens.values()) if self.holds(token, as_of)]

    def find_session(self, session_id: str, *, as_of: int) -> Session | None:
        """If it holds; whether it has expired is for the caller to say."""
        session = self._sessions.get(session_id)
        return session if session and self.holds(session, as_of) else None

    def has_session(self, session_id: str) -> bool:
        """Whether it ever began, though it may have ended."""
        return session_id in self._sessions

    def sessions(self, *, as_of: int) -> list[Session]:
        """Those that hold, expired ones too, in the order in which they began."""
        return [session for session in list(self._sessions.values()) if self.holds(session, as_of)]

    def policy(self, *, as_of: int) -> AccessPolicy | None:
        """The newest that holds; None when no server ever recorded one."""
        return next((policy for policy in reversed(self._policies) if self.holds(policy, as_of)), None)
