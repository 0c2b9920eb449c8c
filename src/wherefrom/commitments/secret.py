"""The secret of private fingerprints: docs/spec/fingerprint-records-v1.md section 4.2."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from wherefrom.commitments.identity import SALTED, UNSALTED
from wherefrom.errors import ConflictError, FormatError, MismatchError, NotFoundError, UnavailableError

SECRET_BYTES: Final = 32

ROW: Final = b"\x00"
"""Domain of the salts of rows, so that a key of the same bytes has another salt."""
KEY: Final = b"\x01"
"""Domain of the salts of key rows."""

_COMMITMENT_PREFIX: Final = b"wf-secret-1"
_TEXT_PREFIX: Final = "wf-secret-1:"


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """32 bytes from which each row gets its salt. Whoever holds them can test guesses of rows: keep them apart.

    Destroying them is erasure: nobody can make new proofs, or test guesses against leaf hashes, after that.
    """

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        key: object = self.key
        if not isinstance(key, bytes) or len(key) != SECRET_BYTES:
            got = f"{len(key)} bytes" if isinstance(key, bytes) else type(key).__name__
            raise FormatError(f"a secret is {SECRET_BYTES} bytes, got {got}")

    def __repr__(self) -> str:
        return f"Secret(commitment='{self.commitment}')"

    @classmethod
    def generate(cls) -> Self:
        return cls(os.urandom(SECRET_BYTES))

    @property
    def commitment(self) -> str:
        """64 hex digits that name the secret and don't help to find it."""
        return hashlib.sha256(_COMMITMENT_PREFIX + self.key).hexdigest()

    @property
    def scheme(self) -> str:
        """The member `salt` of every fingerprint made with this secret."""
        return SALTED + self.commitment

    def salt_of(self, row: bytes, domain: bytes) -> bytes:
        """Salt of a row's or key row's canonical bytes, 32 bytes; `domain` is `ROW` or `KEY`."""
        if domain not in (ROW, KEY):
            raise FormatError(f"domain of a salt is {domain!r}, expected {ROW!r} for rows or {KEY!r} for keys")
        return hmac.digest(self.key, domain + row, "sha256")

    def verify_scheme(self, salt: str) -> None:
        """Check that a fingerprint with this member `salt` was made with this secret.

        Raises MismatchError: it was made without a secret, or with another one.
        """
        if salt == UNSALTED:
            raise MismatchError("the fingerprint was made without a secret, but one was given")
        if salt != self.scheme:
            raise MismatchError(
                f"the secret given is not the one that the fingerprint was made with: "
                f"its commitment is {self.commitment}, expected {salt.removeprefix(SALTED)}"
            )

    def to_text(self) -> str:
        """One line without its end; as secret as the bytes."""
        return _TEXT_PREFIX + base64.b64encode(self.key).decode("ascii")

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read the line that `to_text` writes, a line end after it allowed; messages never quote the text."""
        line = text.removesuffix("\n")
        try:
            key = base64.b64decode(line.removeprefix(_TEXT_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        # Base64 can spell the same bytes in several ways; only one of them is written.
        if len(key) != SECRET_BYTES or cls(key).to_text() != line:
            raise FormatError(f"not a secret: expected one line '{_TEXT_PREFIX}' and {SECRET_BYTES} bytes in base64")
        return cls(key)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read a secret's file.

        Raises NotFoundError: no such file. FormatError: it holds no secret. UnavailableError: can't be read.
        """
        try:
            with Path(path).open("rb") as file:
                # No more than shows that it is too long: the file may be anything.
                content = file.read(256)
        except FileNotFoundError as error:
            raise NotFoundError(f"no secret at '{os.fspath(path)}'") from error
        except OSError as error:
            raise UnavailableError(f"can't read the secret '{os.fspath(path)}': {error.strerror}") from error
        try:
            return cls.from_text(content.decode("ascii", "replace"))
        except FormatError as error:
            raise FormatError(f"'{os.fspath(path)}' is {error}") from None

    @classmethod
    def obtain(cls, path: str | os.PathLike[str]) -> Self:
        """Read a secret's file, or make the secret and the file if there is none; errors as `read` and `write`."""
        try:
            return cls.read(path)
        except NotFoundError:
            made = cls.generate()
        try:
            Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            made.write(path)
        except ConflictError:  # somebody was first
            return cls.read(path)
        except OSError as error:
            raise UnavailableError(f"can't write the secret '{os.fspath(path)}': {error.strerror}") from error
        return made

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write a new file that only its owner may read (mode 0600), durably before returning.

        Raises ConflictError: there is a file already, whose secret would be lost. UnavailableError: can't be written.
        """
        target = Path(path)
        try:
            # Written beside and linked into place: nobody who comes at the same time reads half of it, and a link,
            # unlike a rename, is never put over another file.
            import tempfile  # loads a dozen modules, and secrets are seldom written

            descriptor, beside = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
            try:
                with os.fdopen(descriptor, "w", encoding="ascii") as file:
                    file.write(f"{self.to_text()}\n")
                    file.flush()
                    os.fsync(file.fileno())
                os.link(beside, target)
            finally:
                Path(beside).unlink()
        except FileExistsError as error:
            raise ConflictError(f"there is a file at '{target}' already; a secret is never overwritten") from error
        except OSError as error:
            raise UnavailableError(f"can't write the secret '{target}': {error.strerror}") from error
