"""`wherefrom access …`: who may do what on a server of this archive, for who has the archive's folder."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from wherefrom.archive import granting
from wherefrom.cli.app import app, find_archive
from wherefrom.cli.output import mark, print_json, say
from wherefrom.cli.recording import AsJson
from wherefrom.errors import NotFoundError
from wherefrom.ledger import Receipt
from wherefrom.statements import ACTIONS, ROLES, Grant, Reach, Token, check_pattern, check_principal, format_time

access_app = typer.Typer(
    help="Who may do what on a server of this archive.", no_args_is_help=True, rich_markup_mode="markdown"
)
app.add_typer(access_app, name="access")

Principal = Annotated[str, typer.Argument(help="`user:NAME`, `group:NAME`, `service:NAME`, or `anonymous`.")]
Role = Annotated[str, typer.Argument(help=f"{', '.join(ROLES)}.")]
Namespaces = Annotated[str, typer.Argument(help="A namespace, or a pattern: `*` stands for any characters.")]
Reason = Annotated[str | None, typer.Option(help="A sentence; it goes on the record.")]
At = Annotated[
    str | None, typer.Option("--at", metavar="ENTRY|TIME", help="As of an entry, a time (RFC 3339) or a day.")
]


@access_app.command("grant")
def add_grant(
    principal: Principal, role: Role, namespaces: Namespaces, *, reason: Reason = None, as_json: AsJson = False
) -> None:
    """Give somebody a role in namespaces. A running server heeds it within a second.

    Example: `wherefrom access grant user:ada@example.com viewer 's3://lake*'`
    """
    receipt = granting.grant(
        find_archive(), check_principal(principal), _role(role), check_pattern(namespaces), by=_by(), reason=reason
    )
    done = "has had" if not receipt.is_new else "has"
    _finish(receipt, f"{principal} {done} the role {role} in {namespaces}", as_json=as_json)


@access_app.command("revoke")
def revoke_grant(
    principal: Principal, role: Role, namespaces: Namespaces, *, reason: Reason = None, as_json: AsJson = False
) -> None:
    """Take a role back, where it was given with just this pattern.

    Example: `wherefrom access revoke user:ada@example.com viewer 's3://lake*' --reason "left the team"`
    """
    receipts = granting.revoke(find_archive(), principal, _role(role), namespaces, by=_by(), reason=reason)
    _finish(receipts[-1], f"{principal} no longer has the role {role} through {namespaces}", as_json=as_json)


@access_app.command("list")
def list_access(
    principal: Annotated[str | None, typer.Argument(help="Of this principal alone.")] = None,
    *,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """List the grants and tokens that hold, or held then.

    Example: `wherefrom access list` · `wherefrom access list user:ada@example.com --at 2026-03-31`
    """
    archive = find_archive()
    size, instant = granting.parse_at(archive, at)
    book = granting.read_access(archive).book
    grants = sorted(book.grants(as_of=size), key=lambda grant: (grant.principal, grant.index))
    tokens = [token for token in book.tokens(as_of=size) if instant < token.expires]
    if principal is not None:
        if not book.names(principal):
            raise NotFoundError(f"nothing was ever granted to {principal}")
        grants = [grant for grant in grants if grant.principal == principal]
        tokens = [token for token in tokens if token.principal == principal]
    if as_json:
        print_json({"grants": [grant.to_json() for grant in grants], "tokens": [token.to_json() for token in tokens]})
        return
    for grant in grants:
        typer.echo(f"{mark(f'{grant.role:<9}', 'strong')} {grant.namespaces}  {grant.principal}  {_since(grant)}")
    for token in tokens:
        until = format_time(token.expires)[:10]
        typer.echo(
            f"{mark('token    ', 'muted')} {token.token_id}  {token.principal}{_say_reach(token)}  until {until}"
        )
    if not grants:
        typer.echo("nothing is granted to anybody" if principal is None else f"nothing is granted to {principal}")


@access_app.command("token")
def issue_token(
    principal: Annotated[str, typer.Argument(help="`user:NAME` or `service:NAME`.")],
    *,
    role: Annotated[list[str] | None, typer.Option(help="It reaches this role alone; repeat it.")] = None,
    namespaces: Annotated[list[str] | None, typer.Option(help="It reaches these alone; repeat it.")] = None,
    days: Annotated[int, typer.Option(min=1, max=3660, help="Until it expires.")] = granting.TOKEN_DAYS,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Make a token that acts as somebody, within what is granted to them. Its text is printed once and kept nowhere.

    Example: `wherefrom access token service:nightly-etl --role producer --days 30`
    """
    roles = frozenset(_role(one) for one in role) if role else None
    reach = Reach(roles, tuple(check_pattern(one) for one in namespaces) if namespaces else None)
    text, token_id, expires = granting.issue_token(
        find_archive(),
        check_principal(principal),
        by=_by(),
        expires=datetime.now(UTC) + timedelta(days=days),
        reach=reach,
        reason=reason,
    )
    if as_json:
        print_json({"token": text, "tokenId": token_id, "principal": principal, "expires": format_time(expires)})
        return
    typer.echo(text)
    say(f"token {token_id} of {principal}, until {format_time(expires)[:10]}; it can't be shown again")


@access_app.command("revoke-token")
def revoke_token(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="Of a token, or of a session.")],
    *,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """End a token, or a person's session. A running server heeds it within a second.

    Example: `wherefrom access revoke-token 44162ebd20ce1e94 --reason "was in a public repository"`
    """
    archive = find_archive()
    known = granting.read_access(archive)
    said = known.book.find_token(token_id, as_of=known.size) or known.book.find_session(token_id, as_of=known.size)
    if said is None:
        raise NotFoundError(f"no token or session {token_id!r} holds in this archive")
    _finish(granting.end(archive, said, by=_by(), reason=reason), f"{token_id} is ended", as_json=as_json)


@access_app.command("who")
def show_who(
    namespace: Annotated[str, typer.Argument(help="Of data sets or jobs.")],
    *,
    at: At = None,
    action: Annotated[str, typer.Option(help=f"{', '.join(ACTIONS)}.")] = "read",
    as_json: AsJson = False,
) -> None:
    """Say who could see (or change) a namespace at some time, and on whose word.

    Example: `wherefrom access who s3://lake` · `wherefrom access who s3://lake --at 2026-03-31 --action write`
    """
    from wherefrom.server.access.who import who_could

    if action not in ACTIONS:
        raise typer.BadParameter(f"--action {action!r}: expected one of {', '.join(ACTIONS)}")
    found = who_could(find_archive(), action, namespace, at=at)
    if as_json:
        who = [h.grant.to_json() | {"members": h.members, "tokens": h.tokens} for h in found.holders]
        print_json({"namespace": namespace, "action": action, "at": format_time(found.at), "who": who})
        return
    for holder in found.holders:
        grant = holder.grant
        through = f" through {grant.namespaces}" if grant.namespaces != namespace else ""
        typer.echo(f"{mark(grant.principal, 'strong')}  as {grant.role}{through}  {_since(grant)}")
        for what, names in (("logged in", holder.members), ("token", holder.tokens)):
            for name in names:
                typer.echo(f"    {mark(f'{what} {name}', 'muted')}")
    if not found.holders:
        typer.echo(f"nobody could {action} there")


def _role(text: str) -> str:
    if text not in ROLES:
        raise typer.BadParameter(f"role {text!r}: expected one of {', '.join(ROLES)}")
    return text


def _by() -> str:
    """Who has the folder needs no grant: the operating system says who that is."""
    try:
        return f"local:{getpass.getuser()}"
    except (OSError, KeyError):  # a user id without a name
        return "local:unknown"


def _since(grant: Grant) -> str:
    return mark(f"since {format_time(grant.received)[:10]} by {grant.by} (statement {grant.index})", "muted")


def _say_reach(token: Token) -> str:
    parts = [*sorted(token.reach.roles or ()), *(token.reach.namespaces or ())]
    return f" ({', '.join(parts)})" if parts else ""


def _finish(receipt: Receipt, said: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"recorded": receipt})
        return
    typer.echo(f"{said}, by statement {receipt.index}")
