"""The command line's frame: the app that the verbs join, and what becomes of errors."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

import typer

from wherefrom import capture
from wherefrom.archive import Archive
from wherefrom.cli.output import say
from wherefrom.errors import NotFoundError, VerificationError, WherefromError
from wherefrom.signers import ask_with
from wherefrom.version import __version__

EXIT_FALSE, EXIT_USAGE, EXIT_UNCHECKED = 1, 2, 3

app = typer.Typer(
    help="Tells what any machine-learning model was made from, and proves it.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"wherefrom {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: bool = typer.Option(False, "--version", callback=lambda value: _version(wanted=value), is_eager=True),
) -> None:
    """Options that go before the command."""


def find_archive(*, drain: bool = True) -> Archive:
    """The archive of the project that the working folder lies in, with what waited in its outbox recorded."""
    remote = find_remote()
    try:
        archive = Archive.find(Path.cwd())
    except NotFoundError as error:
        if remote is None:
            raise
        raise NotFoundError(str(error), hint=f"its runs are recorded at {remote.url}: ask there") from error
    if drain and remote is None and capture.list_waiting(archive.root):
        for path, problem in capture.drain_outbox(archive).left:
            say(f"{path} still waits to be recorded: {problem}", kind="warning")
    return archive


def find_remote() -> capture.Remote | None:
    """The server that the project of the working folder records to, if it does."""
    root = capture.find_root(str(Path.cwd()))
    if root is None:
        return None
    try:
        config = capture.read_config(root)
    except WherefromError:  # which is said where the file is needed
        config = capture.Config()
    return capture.find_remote(root, config)


def main() -> None:
    """Run the command line. Exit status: 0 done or true, 1 false, 2 wrong usage, 3 could not be done or checked."""
    if sys.stdin.isatty():
        ask_with(lambda what: getpass.getpass(f"passphrase of {what}: "))
    try:
        app()
    except WherefromError as error:
        say(str(error), kind="error", hint=error.hint)
        sys.exit(_status_of(error))
    except BrokenPipeError:  # the reader of our output, `head` say, has seen enough
        sys.stderr.close()
        sys.exit(0)


def _status_of(error: WherefromError) -> int:
    if isinstance(error, VerificationError):
        return EXIT_FALSE
    return EXIT_USAGE if isinstance(error, NotFoundError) else EXIT_UNCHECKED
