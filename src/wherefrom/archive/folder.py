"""Where an archive lies: the folder `.wherefrom/` beside a project.

.wherefrom/
  archive.db        ledger and views (SQLite)
  checkpoint        the checkpoint signed last: an archive that falls behind it was rolled back
  trust             public: what a verifier needs to check this archive's evidence (C2SP tlog-policy)
  keys/log          secret: signs checkpoints, and vouches for producers
  keys/producer     secret: signs statements
  outbox/           what capture could not record yet
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from wherefrom.errors import UnavailableError
from wherefrom.notes import SigningKey, format_signing_key, parse_signing_key

FOLDER = ".wherefrom"


@dataclass(frozen=True)
class ArchiveFolder:
    """The files of an archive, by what they are."""

    path: Path

    @property
    def database(self) -> Path:
        return self.path / "archive.db"

    @property
    def trust(self) -> Path:
        return self.path / "trust"

    def read_key(self, name: str) -> SigningKey:
        """The secret key `log` or `producer`. Raises UnavailableError for who may not read it."""
        path = self.path / "keys" / name
        try:
            return parse_signing_key(path.read_text().strip())
        except OSError as error:
            raise UnavailableError(f"secret key {path}: {error.strerror}", hint="only who holds it records") from error

    def write_key(self, name: str, key: SigningKey) -> None:
        """Keep a new secret key, for its owner's eyes only."""
        path = self.path / "keys" / name
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{format_signing_key(key)}\n")

    def read_head(self) -> bytes | None:
        """The checkpoint signed last, as far as this folder knows."""
        path = self.path / "checkpoint"
        return path.read_bytes() if path.exists() else None

    def write_head(self, note: bytes) -> None:
        """Remember the checkpoint signed last."""
        # Two writers may finish in either order; an older head only notices less, so the last one in may stay.
        new = self.path / f"checkpoint.{os.getpid()}.{secrets.token_hex(4)}"
        with contextlib.suppress(OSError):  # the statement is durable by now; a missing head costs a check, not data
            new.write_bytes(note)
            new.replace(self.path / "checkpoint")
