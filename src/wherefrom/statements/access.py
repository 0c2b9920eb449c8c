"""The kinds that say who may do what. Source: docs/spec/statements.md, section 6.

A `grant` gives a principal a role in namespaces, a `token` lets a program act as a principal, a `session` is a person's
login; each is ended by a statement of its own kind that names it. `access-policy` is the text that decides what a role
may do, and a `denial` says that somebody asked for more, and how often. What they add up to: access_book.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from wherefrom.errors import FormatError
from wherefrom.statements.statement import Statement, Subject
from wherefrom.statements.times import parse_time
from wherefrom.strict import Fields

_NAMESPACE = "https://w3id.org/wherefrom/kinds/"
GRANT = _NAMESPACE + "grant/v1"
TOKEN = _NAMESPACE + "token/v1"
SESSION = _NAMESPACE + "session/v1"
ACCESS_POLICY = _NAMESPACE + "access-policy/v1"
DENIAL = _NAMESPACE + "denial/v1"

ROLES: Final = ("viewer", "producer", "steward", "auditor", "admin")
ACTIONS: Final = ("read", "write", "steward", "audit", "administer")
ANONYMOUS: Final = "anonymous"
ANONYMOUS_ROLES: Final = ("viewer", "producer")
MAX_PATTERN_CHARACTERS: Final = 2048
_PRINCIPAL = re.compile(r"(?:user|service):[^\s\x00-\x1f\x7f]{1,512}|group:[^\x00-\x1f\x7f]{1,512}")
_TOKEN_ID = re.compile(r"[0-9a-f]{16}")


def check_principal(text: str) -> str:
    """The text, if it names a principal: `user:…`, `service:…`, `group:…` or `anonymous`. Raises FormatError."""
    if text != ANONYMOUS and not _PRINCIPAL.fullmatch(text):
        expected = "user:, service: or group: and a name of up to 512 characters without blanks, or 'anonymous'"
        raise FormatError(f"principal {text!r:.200}: expected {expected}")
    return text


def check_pattern(text: str) -> str:
    """The text, if it is a pattern of namespaces: not empty, `*` standing for any characters. Raises FormatError."""
    if not text or len(text) > MAX_PATTERN_CHARACTERS or "\0" in text:
        raise FormatError(
            f"namespaces {text!r:.200}: expected 1 to {MAX_PATTERN_CHARACTERS} characters, '*' standing for any"
        )
    return text


def is_covered(name: str, pattern: str) -> bool:
    """Whether a pattern has this namespace in it; or this pattern, whole: only `*` covers what `*` stands for."""
    # By hand, since a regular expression of many `.*` can take for ever: each literal part is taken at its first place.
    first, *rest = pattern.split("*")
    if not rest:
        return name == pattern
    if not name.startswith(first) or len(name) < len(first) + len(rest[-1]) or not name.endswith(rest[-1]):
        return False
    at, end = len(first), len(name) - len(rest[-1])
    for part in rest[:-1]:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


@dataclass(frozen=True)
class Reach:
    """How far a token reaches within what its principal may do: these roles, in these namespaces; None for all."""

    roles: frozenset[str] | None = None
    namespaces: tuple[str, ...] | None = None

    def has(self, role: str, name: str) -> bool:
        """Whether it reaches a role in a namespace, or in all of a pattern."""
        if self.roles is not None and role not in self.roles:
            return False
        return self.namespaces is None or any(is_covered(name, pattern) for pattern in self.namespaces)

    def covers(self, other: Reach) -> bool:
        """Whether whatever the other reaches, this one does."""
        if self.roles is not None and (other.roles is None or not other.roles <= self.roles):
            return False
        if self.namespaces is None:
            return True
        wanted = ("*",) if other.namespaces is None else other.namespaces
        return all(any(is_covered(name, pattern) for pattern in self.namespaces) for name in wanted)


def _check_said(fields: Fields) -> None:
    """By whom and when: the time makes each statement another one, so that what was ended can be said again."""
    fields.text("by")
    _time(fields, "at")
    if "reason" in fields:
        fields.text("reason")


def _time(fields: Fields, key: str) -> datetime:
    return parse_time(fields.text(key), what=fields.what, path=f"{fields.path}.{key}")


def _principal(fields: Fields, key: str) -> None:
    try:
        check_principal(fields.text(key))
    except FormatError as error:
        fields.fail(key, str(error))


def _pattern(fields: Fields, key: str) -> None:
    try:
        check_pattern(fields.text(key))
    except FormatError as error:
        fields.fail(key, str(error))


def _check_end(fields: Fields) -> None:
    fields.only("action", "at", "by", "reason", "revokes")
    fields.hex("revokes", size=32)
    _check_said(fields)


def _check_grant(fields: Fields) -> None:
    if fields.literal("action", "grant", "revoke") == "revoke":
        _check_end(fields)
        return
    fields.only("action", "at", "by", "namespaces", "principal", "reason", "role")
    _principal(fields, "principal")
    role = fields.literal("role", *ROLES)
    if fields.value["principal"] == ANONYMOUS and role not in ANONYMOUS_ROLES:
        fields.fail("role", f"is {role!r}; to anybody there can be granted only {', '.join(ANONYMOUS_ROLES)}")
    _pattern(fields, "namespaces")
    _check_said(fields)


def _check_token(fields: Fields) -> None:
    if fields.literal("action", "issue", "revoke") == "revoke":
        _check_end(fields)
        return
    fields.only("action", "at", "by", "expires", "namespaces", "principal", "reason", "roles", "sha256", "tokenId")
    _principal(fields, "principal")
    if fields.value["principal"] == ANONYMOUS or fields.value["principal"].startswith("group:"):
        fields.fail("principal", f"is {fields.value['principal']!r}, expected a user or a service")
    if not _TOKEN_ID.fullmatch(fields.text("tokenId")):
        fields.fail("tokenId", "expected 16 lower-case hex digits")
    fields.hex("sha256", size=32)
    _time(fields, "expires")
    for key, check in (("roles", _check_role), ("namespaces", check_pattern)):
        if key in fields:
            items = fields.items(key)
            if not items or not all(isinstance(item, str) for item in items) or items != sorted(set(items)):
                fields.fail(key, "expected texts in order without repeats, at least one")
            for item in items:
                check(item)
    _check_said(fields)


def _check_role(text: str) -> str:
    if text not in ROLES:
        raise FormatError(f"role {text!r:.60}: expected one of {', '.join(ROLES)}")
    return text


def _check_session(fields: Fields) -> None:
    if fields.literal("action", "begin", "revoke") == "revoke":
        _check_end(fields)
        return
    fields.only("action", "expires", "groups", "issuer", "principal", "sessionId")
    _principal(fields, "principal")
    fields.text("sessionId")
    fields.text("issuer")
    _time(fields, "expires")
    groups = fields.items("groups")
    if not all(isinstance(group, str) and group for group in groups) or groups != sorted(set(groups)):
        fields.fail("groups", "expected texts in order without repeats")


def _check_policy(fields: Fields) -> None:
    fields.only("at", "files", "schema")
    fields.text("schema")
    _time(fields, "at")
    for file in fields.objects("files"):
        file.only("name", "text")
        file.text("name")
        file.text("text")


def _check_denial(fields: Fields) -> None:
    fields.only("action", "count", "from", "namespace", "principal", "route", "to")
    fields.text("action")
    fields.text("route")
    fields.integer("count", least=1)
    for key in ("namespace", "principal"):
        if key not in fields or fields.value[key] is not None:
            fields.text(key, least=0)
    _time(fields, "from")
    _time(fields, "to")


CHECKS: dict[str, Callable[[Fields], None]] = {
    GRANT: _check_grant,
    TOKEN: _check_token,
    SESSION: _check_session,
    ACCESS_POLICY: _check_policy,
    DENIAL: _check_denial,
}

ACCESS_KINDS = frozenset(CHECKS)


def make_access_statement(kind: str, predicate: Mapping[str, Any], *, ledger: Subject) -> Statement:
    """A statement of one of these kinds, checked. What ends another is about that one; all else about the ledger.

    Raises FormatError with the JSON path.
    """
    name = kind.removeprefix(_NAMESPACE).split("/")[0]
    CHECKS[kind](Fields.of(dict(predicate), what=f"{name} statement", path="$.predicate"))
    ended = predicate.get("revokes")
    subject = Subject(f"statement:{ended}", {"wf-entry-1": ended}) if ended else ledger
    return Statement.of(kind, predicate, subject)


def audited_in(statement: Statement) -> str:
    """The namespaces of which one must be an auditor (or its admin) to read a statement on access; mostly `*`."""
    predicate = statement.predicate
    found = predicate.get("namespaces") if statement.predicate_type == GRANT else predicate.get("namespace")
    return found if isinstance(found, str) and found else "*"
