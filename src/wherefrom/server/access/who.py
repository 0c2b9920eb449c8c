"""Who could see a namespace at some time, and on whose word: asked of the ledger, as it was then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from wherefrom.archive import Archive
from wherefrom.archive.granting import parse_at, read_access
from wherefrom.server.access.deciding import Policies
from wherefrom.statements import AccessBook, Grant


@dataclass(frozen=True)
class Holder:
    """A grant through which somebody could do something in a namespace.

    Attributes:
        members: of a group, who was logged in then with it.
        tokens: ids of those with which it could be done in their stead.
    """

    grant: Grant
    members: tuple[str, ...]
    tokens: tuple[str, ...]


@dataclass(frozen=True)
class Who:
    """The answer, as of this tree size and instant."""

    size: int
    at: datetime
    holders: tuple[Holder, ...]


def who_could(archive: Archive, action: str, namespace: str, *, at: str | None = None) -> Who:
    """Who could do something in a namespace, by the grants, sessions, tokens and policies that held then.

    Where no policy was recorded by then, because no server had run, ours of today decide. Raises NotFoundError and
    FormatError for an `at` that can't be, and UnavailableError without the extra `server`.
    """
    size, instant = parse_at(archive, at)
    book = read_access(archive).book
    recorded = book.policy(as_of=size)
    policies = Policies.of(recorded.files, recorded.schema) if recorded else Policies.read()
    found = []
    for grant in book.grants_in(namespace, as_of=size):
        roles = frozenset({grant.role})
        if grant.principal.startswith("group:"):
            members = tuple(
                member
                for member, groups in _logged_in(book, grant.principal, size, instant)
                if policies.permits(member, groups=groups, roles=roles, action=action, namespace=namespace)
            )
            somebody = f"user:(a member of {grant.principal})"
            if members or policies.permits(
                somebody, groups=(grant.principal,), roles=roles, action=action, namespace=namespace
            ):
                found.append(Holder(grant, members, ()))
        elif policies.permits(grant.principal, roles=roles, action=action, namespace=namespace):
            found.append(Holder(grant, (), _tokens(book, grant, namespace, size, instant)))
    return Who(size, instant, tuple(found))


def _logged_in(book: AccessBook, group: str, size: int, at: datetime) -> list[tuple[str, tuple[str, ...]]]:
    """Each person with a session then that has a group, and all groups of it."""
    found = {
        session.principal: tuple(f"group:{name}" for name in session.groups)
        for session in book.sessions(as_of=size)
        if session.received <= at < session.expires and group in {f"group:{name}" for name in session.groups}
    }
    return sorted(found.items())


def _tokens(book: AccessBook, grant: Grant, namespace: str, size: int, at: datetime) -> tuple[str, ...]:
    return tuple(
        token.token_id
        for token in book.tokens(as_of=size)
        if token.principal == grant.principal and at < token.expires and token.reach.has(grant.role, namespace)
    )
