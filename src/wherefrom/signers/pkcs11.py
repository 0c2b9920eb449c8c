"""Ed25519 keys in PKCS#11 tokens (CKM_EDDSA): smart cards, hardware modules, SoftHSM. Needs the extra `pkcs11`."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from wherefrom.errors import FormatError, UnavailableError
from wherefrom.notes import ED25519, VerifierKey
from wherefrom.signers.passphrases import MAX_BYTES, read_passphrase
from wherefrom.signers.pkcs11_uri import Pkcs11Uri, parse_pkcs11_uri

_T = TypeVar("_T")

# One login for each token and process: a token does not let the same program log in twice. Whoever talks to a token
# holds the lock, because a session does one thing at a time.
_LOCK = threading.RLock()
_SESSIONS: dict[tuple[Path, int], Any] = {}
_INITIALIZED_BY: dict[Path, int] = {}  # module to process id: after a fork, a module must be initialized again


@dataclass(frozen=True)
class Pkcs11Signer:
    """A private key in a token. Finds its session again when the token was pulled and put back."""

    verifier_key: VerifierKey
    uri: Pkcs11Uri = field(repr=False)

    def sign(self, message: bytes, /) -> bytes:
        """64 bytes. Raises UnavailableError where token or key can't be reached."""
        from pkcs11 import Mechanism, ObjectClass

        def sign(session: Any) -> bytes:
            key = _find_key(session, self.uri, ObjectClass.PRIVATE_KEY)
            return bytes(key.sign(message, mechanism=Mechanism.EDDSA))

        return _with_session(self.uri, sign)


def open_pkcs11(text: str, name: str) -> Pkcs11Signer:
    """The key that a PKCS#11 URI names. Raises FormatError, UnavailableError."""
    uri = parse_pkcs11_uri(text)

    def read_public(session: Any) -> bytes:
        from pkcs11 import Attribute, ObjectClass

        return bytes(_find_key(session, uri, ObjectClass.PUBLIC_KEY)[Attribute.EC_POINT])

    point = _with_session(uri, read_public)
    # An octet string in DER as the standard has it; some tokens give the 32 bytes alone.
    public = point[2:] if point[:2] == b"\x04\x20" and len(point) == 34 else point
    return Pkcs11Signer(VerifierKey(name, ED25519, public), uri)


def _with_session(uri: Pkcs11Uri, work: Callable[[Any], _T]) -> _T:
    try:
        import pkcs11
    except ImportError as error:
        hint = "pip install 'wherefrom[pkcs11]'"
        raise UnavailableError("keys in PKCS#11 tokens need an extra: wherefrom[pkcs11]", hint=hint) from error
    try:
        with _LOCK:
            library = _load(uri.module)
            token = _find_token(library, uri)
            place = (uri.module, token.slot.slot_id)
            try:
                if place not in _SESSIONS:
                    _SESSIONS[place] = token.open(user_pin=_read_pin(uri, token.label))
                return work(_SESSIONS[place])
            except pkcs11.PKCS11Error:
                _forget(place)  # perhaps the token was pulled: the next call logs in again
                raise
    except (pkcs11.PKCS11Error, RuntimeError, OSError) as error:
        raise UnavailableError(f"PKCS#11 module {uri.module}: {type(error).__name__} {error}".rstrip()) from error


def _forget(place: tuple[Path, int]) -> None:
    import contextlib

    import pkcs11

    if (session := _SESSIONS.pop(place, None)) is not None:
        with contextlib.suppress(pkcs11.PKCS11Error):  # it may be gone already, which is why it is forgotten
            session.close()


def _load(module: Path) -> Any:
    import pkcs11

    library = pkcs11.lib(str(module))
    if _INITIALIZED_BY.setdefault(module, os.getpid()) != os.getpid():
        for place in [place for place in _SESSIONS if place[0] == module]:
            del _SESSIONS[place]  # the parent's, and useless here
        library.reinitialize()
        _INITIALIZED_BY[module] = os.getpid()
    return library


def _find_token(library: Any, uri: Pkcs11Uri) -> Any:
    tokens = []
    for slot in library.get_slots(token_present=True):
        token = slot.get_token()
        there = (token.label, token.manufacturer_id, _text(token.serial), token.model, slot.slot_id)
        wanted = (uri.token, uri.manufacturer, uri.serial, uri.model, uri.slot_id)
        if all(
            want is None or want == (have.rstrip() if isinstance(have, str) else have)
            for want, have in zip(wanted, there, strict=True)
        ):
            tokens.append(token)
    if len(tokens) != 1:
        raise UnavailableError(
            f"PKCS#11 module {uri.module} has {len(tokens) or 'no'} tokens that the URI may mean (token={uri.token}), "
            "expected one"
        )
    return tokens[0]


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _find_key(session: Any, uri: Pkcs11Uri, object_class: Any) -> Any:
    from pkcs11 import Attribute, KeyType

    wanted: dict[Any, Any] = {Attribute.CLASS: object_class, Attribute.KEY_TYPE: KeyType.EC_EDWARDS}
    if uri.label is not None:
        wanted[Attribute.LABEL] = uri.label
    if uri.id is not None:
        wanted[Attribute.ID] = uri.id
    found = list(session.get_objects(wanted))
    if len(found) != 1:
        raise UnavailableError(
            f"token holds {len(found) or 'no'} Ed25519 objects of class {object_class.name} that the URI may mean "
            f"(object={uri.label}, id={uri.id.hex() if uri.id else None}), expected one"
        )
    return found[0]


def _read_pin(uri: Pkcs11Uri, token: str) -> str:
    if uri.pin is not None:
        return uri.pin
    if uri.pin_source is None:
        return read_passphrase(f"token {token}")
    try:
        with uri.pin_source.open("rb") as file:
            return file.read(MAX_BYTES).decode().rstrip("\r\n")
    except OSError as error:
        raise UnavailableError(f"PIN of token {token}: {uri.pin_source}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise FormatError(f"PIN of token {token}: {uri.pin_source} is not UTF-8") from None  # the cause would show it
