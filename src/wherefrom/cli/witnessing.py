"""`ledger cosign`: ask witnesses. `witness init`, `witness serve`: be one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wherefrom.archive.cosigning import Cosigning, cosign
from wherefrom.cli.app import EXIT_UNCHECKED, app, find_archive
from wherefrom.cli.files import read_policy
from wherefrom.cli.ledger import ledger_app
from wherefrom.cli.output import mark, print_json, say
from wherefrom.cli.recording import AsJson
from wherefrom.errors import ConflictError
from wherefrom.notes import (
    ED25519_COSIGNATURE,
    ML_DSA_44_COSIGNATURE,
    SigningKey,
    format_verifier_key,
    parse_verifier_key,
)

witness_app = typer.Typer(
    help="Be a witness: cosign the checkpoints of logs that only ever grow.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
app.add_typer(witness_app, name="witness")

ML_DSA_SUFFIX = ".ml-dsa-44"
StateFile = Annotated[Path, typer.Option("--state", help="What the witness has cosigned; never restore an old copy.")]


@ledger_app.command("cosign")
def cosign_ledger(
    *,
    policy: Annotated[
        Path | None, typer.Option(help="Witnesses to ask, and the quorum: a tlog-policy file; else the trust file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Have witnesses cosign the newest checkpoint, and keep what they say.

    Exit status: 0 the policy's quorum is met, 3 it is not. Example: `wherefrom ledger cosign`
    """
    done = cosign(find_archive(), read_policy(policy) if policy else None)
    if as_json:
        print_json(_to_json(done))
    else:
        _print(done)
    if not done.is_quorum:
        raise typer.Exit(EXIT_UNCHECKED)


def _to_json(done: Cosigning) -> dict[str, object]:
    return {
        "origin": done.checkpoint.origin,
        "size": done.checkpoint.size,
        "quorum": done.is_quorum,
        "witnessed": sorted(name.decode("utf-8", "backslashreplace") for name in done.witnessed),
        "cosignatures": [{"key": c.key.label, "time": c.time} for c in done.cosignatures],
        "problems": {answer.address.url: str(answer.problem) for answer in done.answers if answer.problem},
    }


def _print(done: Cosigning) -> None:
    for answer in done.answers:
        sign, style = ("?", "unknown") if answer.problem else ("ok", "good")
        signed = ", ".join(line.label for line in answer.signatures)
        typer.echo(f"{mark(f'{sign:>5}', style)}  {answer.address.url}  {answer.problem or signed}")  # type: ignore[arg-type]
    names = ", ".join(sorted(name.decode("utf-8", "backslashreplace") for name in done.witnessed)) or "nobody"
    typer.echo(f"size {done.checkpoint.size}, witnessed by {names}: quorum {'met' if done.is_quorum else 'not met'}")


@witness_app.command("init")
def init_witness(
    name: Annotated[str, typer.Argument(help="A URL without its scheme, which nobody else uses: example.com/witness")],
    *,
    key: Annotated[Path, typer.Option(help="The file for its secret key.")] = Path("witness.key"),
    state: StateFile = Path("witness.state"),
    hybrid: Annotated[
        bool, typer.Option("--hybrid", help=f"Make an ML-DSA-44 key too, in a file KEY{ML_DSA_SUFFIX} beside.")
    ] = False,
    sealed: Annotated[bool, typer.Option("--sealed", help="Seal the keys with a passphrase.")] = False,
) -> None:
    """Make a witness's keys and its empty state; prints the verifier keys, for others' policies.

    Example: `wherefrom witness init example.com/witness --hybrid`
    """
    from wherefrom.signers import read_passphrase, write_key
    from wherefrom.tlog.witness_state import WitnessState

    types = {key: ED25519_COSIGNATURE}
    if hybrid:
        types[key.with_name(key.name + ML_DSA_SUFFIX)] = ML_DSA_44_COSIGNATURE
    keys = {path: SigningKey.generate(name, key_type) for path, key_type in types.items()}
    for path in (*keys, state):
        if path.exists():
            raise ConflictError(f"there is a file {path} already")
    passphrase = read_passphrase(f"the keys of {name}") if sealed else None
    for path, made in keys.items():
        write_key(path, made, passphrase=passphrase)
    WitnessState.create(state).close()
    for made in keys.values():
        typer.echo(format_verifier_key(made.verifier_key))
    kept = " and ".join(str(path) for path in keys)
    say(f"keep {kept} secret, and {state} with it: one state for one witness, never a copy of an older one")


@witness_app.command("serve")
def serve_witness(
    *,
    key: Annotated[
        list[Path] | None, typer.Option(help="A file with a secret key: one, or one of each kind; witness.key.")
    ] = None,
    state: StateFile = Path("witness.state"),
    log: Annotated[list[str] | None, typer.Option(help="A log's verifier key; its name is the log's origin.")] = None,
    logs: Annotated[Path | None, typer.Option(help="Many logs: the log lines of a tlog-policy file.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 7380,
) -> None:
    """Cosign checkpoints of the logs named, over HTTP (C2SP tlog-witness). Put a TLS proxy before it.

    Example: `wherefrom witness serve --log example.com/log+5a7fb79f+AU…`
    """
    from wherefrom.server.running import run
    from wherefrom.server.witness import make_app
    from wherefrom.signers import open_signer
    from wherefrom.tlog.witness import Witness
    from wherefrom.tlog.witness_state import WitnessState

    keys = [parse_verifier_key(text) for text in log or []] + [*(read_policy(logs).log_keys if logs else ())]
    if not keys:
        raise typer.BadParameter("name at least one log, with --log VKEY or --logs FILE")
    opened = WitnessState.open(state)
    try:
        signers = [open_signer(path) for path in key or [Path("witness.key")]]
        witness = Witness(signers, keys, opened)
        run(make_app(witness), host=host, port=port, announce=typer.echo)
    finally:
        opened.close()
