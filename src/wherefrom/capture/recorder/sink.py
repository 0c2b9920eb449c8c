"""Where statements go: the project's archive, or the outbox for its server."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from wherefrom.capture.locate import ARCHIVES, FOLDER, PRODUCER_KEY
from wherefrom.capture.recorder.parcels import write_parcel
from wherefrom.errors import UnavailableError

if TYPE_CHECKING:
    from wherefrom.archive import Archive
    from wherefrom.notes import Signer, VerifierKey
    from wherefrom.statements import Statement


class Sink(Protocol):
    """What a recorder needs of `wherefrom.archive.Archive`, and of what stands in for it."""

    namespace: str

    def record(self, *statements: Statement) -> object:
        """Record statements durably, all of them or none."""


class RemoteSink:
    """Signs statements with the project's key and keeps them until a `Sender` has brought them to the server."""

    def __init__(self, root: str, namespace: str, key: Signer, *, on_kept: Callable[[], None] = lambda: None) -> None:
        self.namespace = namespace
        self._root = root
        self._key = key
        self._on_kept = on_kept

    @classmethod
    def open(cls, root: str, *, namespace: str | None, on_kept: Callable[[], None] = lambda: None) -> Self:
        """That of a project folder; its key is made if there is none. Raises what `signers.open_signer` raises."""
        name = namespace or name_of_folder(root)
        return cls(root, name, open_producer_key(root, name), on_kept=on_kept)

    def record(self, *statements: Statement) -> None:
        """Raises UnavailableError: the outbox can't be written, the key can't sign."""
        from wherefrom.statements import format_envelope, format_statement, sign_envelope

        signers = {self._key.verifier_key.label: self._key}
        envelopes = [format_envelope(sign_envelope(format_statement(statement), signers)) for statement in statements]
        if not envelopes:
            return
        try:
            write_parcel(self._root, envelopes)
        except OSError as error:
            raise UnavailableError(f"can't write the outbox in '{self._root}/{FOLDER}': {error.strerror}") from error
        self._on_kept()


def open_archive(root: str, *, namespace: str | None) -> tuple[Archive, bool]:
    """The archive of a project folder, made when there is none: (archive, whether it was made).

    Raises what `Archive.open` and `Archive.init` raise.
    """
    from wherefrom.archive import Archive

    with _alone(root):
        if any((Path(root) / name).exists() for name in ARCHIVES):
            return Archive.open(Path(root) / FOLDER), False
        return Archive.init(Path(root), namespace=namespace), True


def open_producer_key(root: str, namespace: str) -> Signer:
    """The key that signs a project's statements, made when there is none. Raises what `open_signer` raises."""
    from wherefrom.notes import SigningKey
    from wherefrom.signers import open_signer, write_key

    path = Path(root) / PRODUCER_KEY
    with _alone(root):
        if not path.exists():
            try:
                path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
                (Path(root) / FOLDER / ".gitignore").write_text("*\n")
            except OSError as error:
                raise UnavailableError(f"can't make a key in '{root}/{FOLDER}': {error.strerror}") from error
            write_key(path, SigningKey.generate(f"{_plain(namespace)}/{secrets.token_hex(4)}/producer"))
    return open_signer(path)


def read_producer_key(root: str | Path) -> VerifierKey:
    """The public half of the project's key. Raises NotFoundError, UnavailableError."""
    from wherefrom.signers import read_verifier_key

    return read_verifier_key(Path(root) / PRODUCER_KEY)


def name_of_folder(root: str | Path) -> str:
    """The namespace of a project that was given none, as `Archive.init` has it."""
    return _plain(Path(root).resolve().name)


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "-", name).strip("-") or "project"


@contextmanager
def _alone(root: str) -> Iterator[None]:
    """Several recorders may find that there is none: one makes it, and nobody opens it half made."""
    folder = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
