"""Where an archive lies: the folder `.wherefrom/` beside a project.

.wherefrom/
  archive.db        ledger and views (SQLite), or else
  database          secret: the URL of the PostgreSQL database that holds them (docs/postgresql.md)
  checkpoint        the checkpoint signed last: an archive that falls behind it was rolled back
  trust             public: what a verifier needs to check this archive's evidence (C2SP tlog-policy)
  keys/log          secret: signs checkpoints, and vouches for producers
  keys/log.next     secret: signs checkpoints, too, while the log's key changes; log.before: for some time after that
  keys/producer     secret: signs statements
  keys/log.ml-dsa   secret: ML-DSA-44 key that signs checkpoints, too
  keys/producer.<key id of producer>.ml-dsa   secret: ML-DSA-44 key that signs statements, too
  keys/session      secret: signs the cookies of people who logged in to the server
  token             secret: for the server that this project's wherefrom.toml names
  outbox/           what capture could not record yet, or could not send
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from wherefrom.errors import NotFoundError, UnavailableError
from wherefrom.notes import Signer, SigningKey, VerifierKey
from wherefrom.signers import open_signer, write_key

FOLDER = ".wherefrom"


@dataclass(frozen=True)
class ArchiveFolder:
    """The files of an archive, by what they are."""

    path: Path

    @property
    def database(self) -> Path | str:
        """Where the database is: a file in this folder, or the URL that is written there."""
        try:
            return (self.path / "database").read_text().strip()
        except FileNotFoundError:
            return self.path / "archive.db"
        except OSError as error:
            message = f"database URL {self.path / 'database'}: {error.strerror}"
            raise UnavailableError(message, hint="only who may read it opens the archive") from error

    @property
    def exists(self) -> bool:
        """Whether there is an archive here."""
        return any((self.path / name).exists() for name in ("archive.db", "database"))

    def write_database(self, url: str) -> None:
        """Remember the URL of the database, for the owner's eyes only: there may be a password in it."""
        self._write_secret(self.path / "database", url)

    @property
    def trust(self) -> Path:
        return self.path / "trust"

    def key_path(self, name: str) -> Path:
        return self.path / "keys" / name

    def list_beside(self, name: str, key: VerifierKey) -> list[str]:
        """The names of the keys there are that sign whatever `log` or `producer` signs, which is this key now."""
        names = ("log.next", "log.before", "log.ml-dsa") if name == "log" else (second_name(name, key),)
        keys = f"{self.path}/keys/"  # asked for with each statement, and pathlib takes longer than the system
        return [beside for beside in names if os.path.exists(keys + beside)]  # noqa: PTH110

    def read_key(self, name: str) -> Signer:
        """A secret key, wherever it is kept. Raises UnavailableError for who may not read or use it."""
        try:
            return open_signer(self.key_path(name))
        except NotFoundError as error:
            message = f"secret key {self.key_path(name)}: No such file"
            raise UnavailableError(message, hint="only who holds it records") from error

    def write_key(self, name: str, key: SigningKey) -> None:
        """Keep a new secret key, for its owner's eyes only."""
        write_key(self.key_path(name), key)

    def remove_keys(self, *names: str) -> None:
        """Take back these keys, and the trust file, of an archive that could not be made."""
        for path in (*map(self.key_path, names), self.trust):
            path.unlink(missing_ok=True)

    def _write_secret(self, path: Path, text: str) -> None:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{text}\n")

    def read_head(self) -> bytes | None:
        """The checkpoint signed last, as far as this folder knows."""
        path = f"{self.path}/checkpoint"
        try:
            with open(path, "rb") as file:  # noqa: PTH123
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:  # not the same as having none
            raise UnavailableError(f"last signed checkpoint {path}: {error.strerror}") from error

    def write_head(self, note: bytes) -> None:
        """Remember the checkpoint signed last."""
        # Two writers may finish in either order; an older head only notices less, so the last one in may stay.
        path = f"{self.path}/checkpoint"
        new = f"{path}.{os.getpid()}.{secrets.token_hex(4)}"
        with contextlib.suppress(OSError):  # the statement is durable by now; a missing head costs a check, not data
            try:
                with open(new, "xb") as file:  # noqa: PTH123
                    file.write(note)
                os.replace(new, path)  # noqa: PTH105
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(new)  # noqa: PTH108
                raise


def second_name(name: str, key: VerifierKey) -> str:
    """What the second key of a pair is called: by its first, so that a pair changes when the first does."""
    return f"{name}.{key.key_id:08x}.ml-dsa"
