"""Session cookies: signed with a key of the archive, so that each process which shares its folder knows them.

A cookie names a session and nothing else: whose it is, and until when, stands in the ledger, where it can be ended.

    <what>.<payload, base64url>.<Ed25519 signature over "wherefrom-cookie-1 <what>.<payload>", base64url>
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
from typing import Any, Final

from wherefrom.archive import Archive
from wherefrom.archive.folder import ArchiveFolder
from wherefrom.errors import FormatError, SignatureError, Unauthenticated, UnavailableError
from wherefrom.notes import Signer, SigningKey
from wherefrom.signers import open_signer, write_key
from wherefrom.statements import format_canonical, parse_json

COOKIE: Final = "wherefrom_session"
LOGIN_COOKIE: Final = "wherefrom_login"
_CONTEXT: Final = b"wherefrom-cookie-1 "
MAX_CHARACTERS: Final = 8192


class Sessions:
    """Makes and opens cookies. The key is made when it is first needed, in `keys/session`, mode 0600."""

    def __init__(self, archive: Archive) -> None:
        self._origin = archive.origin
        self._path = ArchiveFolder(archive.folder).key_path("session")
        self._key: Signer | None = None

    @property
    def key(self) -> Signer:
        if self._key is None:
            if not self._path.exists():
                self._make_key()
            self._key = open_signer(self._path)
        return self._key

    def _make_key(self) -> None:
        """Whole or not at all, since other processes look for it; whoever is first, its key is the one."""
        new = self._path.with_name(f".session.{secrets.token_hex(8)}")
        write_key(new, SigningKey.generate(f"{self._origin}/session"))
        try:
            with contextlib.suppress(FileExistsError):
                os.link(new, self._path)
        except OSError as error:
            raise UnavailableError(f"cannot write {self._path}: {error.strerror}") from error
        finally:
            new.unlink()

    def seal(self, what: str, payload: dict[str, Any]) -> str:
        """A cookie's text. `what` it is for: a cookie for one thing is good for no other."""
        body = f"{what}.{_encode(format_canonical(payload))}"
        return f"{body}.{_encode(self.key.sign(_CONTEXT + body.encode()))}"

    def unseal(self, what: str, text: str) -> dict[str, Any]:
        """The payload of a cookie that we made. Raises Unauthenticated for any other."""
        try:
            body, _, signature = text.rpartition(".")
            named, _, payload = body.partition(".")
            if len(text) > MAX_CHARACTERS or named != what:
                raise FormatError(f"cookie: expected one for {what!r}")
            self.key.verifier_key.verify(_CONTEXT + body.encode(), _decode(signature))
            found = parse_json(_decode(payload), what="cookie")
        except (FormatError, SignatureError, binascii.Error, UnicodeEncodeError) as error:
            raise Unauthenticated("the cookie is none of this server's", hint="log in again") from error
        return found if isinstance(found, dict) else {}

    def open(self, cookie: str) -> str:
        """The id of the session that a cookie names. Raises Unauthenticated."""
        return str(self.unseal("session", cookie).get("session", ""))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
