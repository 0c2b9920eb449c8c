"""`wherefrom keys …`: whose signatures count, and where secret keys are kept."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from wherefrom.archive import keeping_keys
from wherefrom.archive.keeping_keys import Rotation
from wherefrom.cli.app import app, find_archive
from wherefrom.cli.files import read_file
from wherefrom.cli.output import mark, print_json, say
from wherefrom.cli.recording import AsJson
from wherefrom.errors import FormatError
from wherefrom.ledger import Receipt
from wherefrom.notes import format_verifier_key, parse_verifier_key
from wherefrom.signers import read_passphrase
from wherefrom.statements import KeyRecord, format_time, parse_time

keys_app = typer.Typer(
    help="Whose signatures count, and where secret keys are kept.", no_args_is_help=True, rich_markup_mode="markdown"
)
app.add_typer(keys_app, name="keys")

Label = Annotated[str, typer.Argument(help="`log`, `producer`, a key's label, or the 8 digits of its key id.")]
Hybrid = Annotated[bool, typer.Option("--hybrid", help="A pair, Ed25519 and ML-DSA-44: both must sign.")]
Device = Annotated[
    str | None, typer.Option(metavar="URI", help="The new key is in a device: `pkcs11:…`, or a plugin's scheme.")
]
Since = Annotated[
    str | None,
    typer.Option(
        "--compromised-at", metavar="TIME", help="Since when somebody else may have held it: RFC 3339 or a day."
    ),
]
Reason = Annotated[str | None, typer.Option(help="A sentence; it goes on the record.")]
Identity = Annotated[str, typer.Option(help="An e-mail address, or a workflow's URL.")]
Issuer = Annotated[str, typer.Option(help="URL of the OpenID Connect provider that vouches for it.")]
Root = Annotated[
    Path | None, typer.Option("--trusted-root", help="sigstore's trusted_root.json; else the installed library's.")
]


@keys_app.command("list")
def list_keys(*, as_json: AsJson = False) -> None:
    """Who may sign, since when, and by which entry. Example: `wherefrom keys list`."""
    archive = find_archive()
    records = keeping_keys.read_book(archive).records
    if as_json:
        print_json([_to_json(record) for record in records])
        return
    for record in records:
        style = {"active": "good", "retired": "muted", "compromised": "bad"}[record.status]
        typer.echo(f"{mark(f'{record.status:<11}', style)} {record.role:<8}  {record.key.label}")  # type: ignore[arg-type]
        for line in _tell(record):
            typer.echo(f"{'':22}{mark(line, 'muted')}")


@keys_app.command()
def show(which: Label) -> None:
    """Print a verifier key: what `keys allow` takes elsewhere, and what one signs with sigstore.

    Example: `wherefrom keys show producer`
    """
    record = keeping_keys.find_key(find_archive(), which)
    for key in (record.key, record.also):
        if key:
            typer.echo(format_verifier_key(key))  # type: ignore[arg-type]


@keys_app.command()
def new(
    file: Annotated[Path, typer.Argument(help="The key file to write.")],
    *,
    name: Annotated[str, typer.Option(help="What the key is called: a name without spaces and '+', as of a host.")],
    hybrid: Hybrid = False,
    encrypt: Annotated[bool, typer.Option("--encrypt", help="Seal it with a passphrase.")] = False,
) -> None:
    """Make a key for a producer elsewhere. Example: `wherefrom keys new ci.key --name example.com/ci --encrypt`."""
    for key in keeping_keys.new_key(file, name, hybrid=hybrid, encrypt=encrypt):
        typer.echo(format_verifier_key(key))
    say(f"made {file}; where its statements are to be recorded: wherefrom keys allow VERIFIER-KEY")


@keys_app.command()
def encrypt() -> None:
    """Seal the archive's secret keys with a passphrase, or with another one than before.

    Example: `wherefrom keys encrypt`
    """
    archive = find_archive()
    for name in keeping_keys.encrypt_keys(archive, _new_passphrase()):
        typer.echo(f"sealed {archive.folder / 'keys' / name}")


@keys_app.command()
def allow(
    key: Annotated[str, typer.Argument(metavar="VERIFIER-KEY", help="Of another producer.")],
    *,
    also: Annotated[str | None, typer.Option(metavar="VERIFIER-KEY", help="Its ML-DSA-44 key: both must sign.")] = None,
    as_json: AsJson = False,
) -> None:
    """State that another producer's statements count from now on.

    Example: `wherefrom keys allow example.com/ci+1f0c9a2b+AX…`
    """
    parsed = parse_verifier_key(key)
    second = parse_verifier_key(also) if also else None
    _finish(keeping_keys.allow_key(find_archive(), parsed, also=second), f"{parsed.label} counts", as_json=as_json)


@keys_app.command()
def retire(which: Label, *, reason: Reason = None, as_json: AsJson = False) -> None:
    """State that a producer's key counts no more; what it signed so far does.

    Example: `wherefrom keys retire 1f0c9a2b --reason "replaced"`
    """
    archive = find_archive()
    record = keeping_keys.find_key(archive, which)
    receipt = keeping_keys.retire_key(archive, record, reason=reason)
    _finish(receipt, f"{record.key.label} is retired", as_json=as_json)


@keys_app.command()
def revoke(which: Label, *, compromised_at: Since, reason: Reason, as_json: AsJson = False) -> None:
    """State that somebody else may have held a producer's key: what the ledger took since then counts no more.

    Example: `wherefrom keys revoke 1f0c9a2b --compromised-at 2026-11-20 --reason "laptop stolen"`
    """
    archive, since = find_archive(), _parse_since(compromised_at or "")
    record = keeping_keys.find_key(archive, which)
    receipt = keeping_keys.revoke_key(archive, record, compromised_at=since, reason=reason or "")
    _finish(receipt, f"{record.key.label} is revoked since {format_time(since)}", as_json=as_json)
    if keeping_keys.find_key(archive, "producer").key.label == record.key.label:
        say("this archive signs with that key: nothing is recorded here before `wherefrom keys rotate producer`")


rotate_app = typer.Typer(
    help="Change a key of this archive, on the record.", no_args_is_help=True, rich_markup_mode="markdown"
)
keys_app.add_typer(rotate_app, name="rotate")


@rotate_app.command("producer")
def rotate_producer(*, hybrid: Hybrid = False, device: Device = None, as_json: AsJson = False) -> None:
    """Sign statements with a new key from now on, and retire the old one.

    Example: `wherefrom keys rotate producer --hybrid`
    """
    done = keeping_keys.rotate_producer(find_archive(), hybrid=hybrid, device=device)
    _finish_rotation(done, as_json=as_json)


@rotate_app.command("log")
def rotate_log(
    *,
    device: Device = None,
    compromised_at: Since = None,
    reason: Reason = None,
    end: Annotated[bool, typer.Option("--end", help="Stop signing with the former key, and forget it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give the ledger a new key. Checkpoints are signed by both until `--end`, so that verifiers have time to follow.

    Verifiers need the new trust file. With `--compromised-at` the old key signs nothing more, and its line goes.
    Example: `wherefrom keys rotate log`, and a month later `wherefrom keys rotate log --end`
    """
    archive = find_archive()
    if end:
        former = keeping_keys.end_overlap(archive)
        typer.echo(f"{former.label} signs no more checkpoints")
        return
    since = _parse_since(compromised_at) if compromised_at else None
    done = keeping_keys.rotate_log(archive, device=device, compromised_at=since, reason=reason or "rotated")
    _finish_rotation(done, as_json=as_json)
    say(f"give verifiers the new {archive.trust_file}")


@keys_app.command("hybrid")
def sign_checkpoints_twice() -> None:
    """Sign each checkpoint with an ML-DSA-44 key, too; the trust file asks for both from now on.

    Example: `wherefrom keys hybrid`
    """
    archive = find_archive()
    typer.echo(f"checkpoints are signed by {keeping_keys.sign_checkpoints_twice(archive).label}, too")
    say(f"give verifiers the new {archive.trust_file}")


@keys_app.command()
def identify(
    which: Label,
    *,
    bundle: Annotated[Path, typer.Option(help="A sigstore bundle over what `wherefrom keys show` prints.")],
    identity: Identity,
    issuer: Issuer,
    trusted_root: Root = None,
    as_json: AsJson = False,
) -> None:
    """Record who holds a key, on sigstore's word, after checking it offline.

    Example: `wherefrom keys identify producer --bundle key.sigstore.json --identity ci@example.com --issuer https://idp.example`
    """
    archive = find_archive()
    record = keeping_keys.find_key(archive, which)
    receipt = keeping_keys.identify_key(
        archive, record, _read(bundle), identity=identity, issuer=issuer, trusted_root=trusted_root
    )
    _finish(receipt, f"{record.key.label} is held by {identity} ({issuer})", as_json=as_json)


@keys_app.command("identity")
def check_identity(which: Label, *, identity: Identity, issuer: Issuer, trusted_root: Root = None) -> None:
    """Check who holds a key, by what is recorded. Exit status: 0 it is so, 1 it is not, 3 could not check.

    Example: `wherefrom keys identity producer --identity ci@example.com --issuer https://idp.example`
    """
    archive = find_archive()
    record = keeping_keys.find_key(archive, which)
    index = keeping_keys.check_identity(archive, record, identity=identity, issuer=issuer, trusted_root=trusted_root)
    typer.echo(f"{mark('true', 'good')}: {record.key.label} is held by {identity} ({issuer}), as entry {index} shows")


def _tell(record: KeyRecord) -> list[str]:
    lines = []
    if record.stated_at:
        lines.append(f"since entry {record.since}, {format_time(record.stated_at)}, stated by {record.stated_by}")
    if record.also:
        lines.append(f"together with {record.also.label}")
    if record.until is not None:
        lines.append(f"until entry {record.until}")
    if record.compromised_at:
        lines.append(f"compromised at {format_time(record.compromised_at)}, says entry {record.revoked_by}")
    lines += [f"entry {index} states who holds it" for index in record.identities]
    return lines


def _to_json(record: KeyRecord) -> dict[str, Any]:
    return {
        "label": record.key.label,
        "role": record.role,
        "status": record.status,
        "verifierKey": format_verifier_key(record.key),  # type: ignore[arg-type]
        "alsoKey": format_verifier_key(record.also) if record.also else None,  # type: ignore[arg-type]
        "since": record.since if record.stated_at else None,
        "statedAt": record.stated_at,
        "statedBy": record.stated_by or None,
        "until": record.until,
        "compromisedAt": record.compromised_at,
        "revokedBy": record.revoked_by,
        "identities": record.identities,
    }


def _finish(receipt: Receipt, said: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"index": receipt.index, "id": receipt.statement_id, "new": receipt.is_new})
    else:
        typer.echo(f"{said}, by entry {receipt.index}" + ("" if receipt.is_new else " (recorded before)"))


def _finish_rotation(done: Rotation, *, as_json: bool) -> None:
    if as_json:
        print_json({"old": done.old.label, "new": done.new.label, "also": done.also and done.also.label})
        return
    typer.echo(f"{done.new.label} takes the place of {done.old.label}")
    if done.also:
        typer.echo(f"together with {done.also.label}")


def _parse_since(text: str) -> Any:
    """A day is meant from its begin on: the earlier a compromise is said to be, the less counts."""
    return parse_time(f"{text}T00:00:00Z" if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else text, what="--compromised-at")


def _new_passphrase() -> str:
    if not sys.stdin.isatty():
        return read_passphrase("the new seal")
    return str(typer.prompt("new passphrase", hide_input=True, confirmation_prompt=True, err=True))


def _read(path: Path) -> str:
    try:
        return read_file(path, most=(1 << 16) + 1).decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is not UTF-8") from error
