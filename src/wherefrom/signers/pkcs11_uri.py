"""PKCS#11 URIs: which key, in which token, by which module. Source: RFC 7512; what is read: docs/spec/key-files.md."""

from __future__ import annotations

import re
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path

from wherefrom.errors import FormatError

_PATH = ("token", "manufacturer", "serial", "model", "slot-id", "object", "id", "type")
_QUERY = ("module-path", "pin-source", "pin-value")
_VALUE = re.compile(r"(?:[A-Za-z0-9\-._~:\[\]@!$'()*+,=&/?|]|%[0-9A-Fa-f]{2})*")


@dataclass(frozen=True)
class Pkcs11Uri:
    """What a URI asks for; None where it leaves it open.

    Attributes:
        label, id: of the key (CKA_LABEL, CKA_ID); at least one of them.
        pin_source: file with the PIN; `pin` is the PIN itself.
    """

    module: Path
    token: str | None = None
    manufacturer: str | None = None
    serial: str | None = None
    model: str | None = None
    slot_id: int | None = None
    label: str | None = None
    id: bytes | None = None
    pin_source: Path | None = None
    pin: str | None = field(default=None, repr=False)


def parse_pkcs11_uri(text: str) -> Pkcs11Uri:
    """Raises FormatError, which never shows a PIN."""
    if not text.startswith("pkcs11:"):
        raise FormatError("PKCS#11 URI does not begin with 'pkcs11:'")
    path, _, query = text.removeprefix("pkcs11:").partition("?")
    given = _split(path, ";", _PATH) | _split(query, "&", _QUERY)
    if given.pop("type", b"private") != b"private":
        raise FormatError("PKCS#11 URI: type is not 'private', which a key that signs is")
    key_id = given.pop("id", None)
    texts = {name: _decode(name, value) for name, value in given.items()}
    if "object" not in texts and key_id is None:
        raise FormatError("PKCS#11 URI has neither object nor id: it names no key")
    if not texts.get("module-path", "").startswith("/"):
        raise FormatError("PKCS#11 URI has no module-path, or none that begins with '/': which library speaks with it")
    if "pin-source" in texts and "pin-value" in texts:
        raise FormatError("PKCS#11 URI has pin-source beside pin-value, expected one of them")
    slot = texts.get("slot-id")
    if slot is not None and not re.fullmatch(r"0|[1-9][0-9]{0,9}", slot):
        raise FormatError(f"PKCS#11 URI: slot-id is {slot!r}, expected a number")
    return Pkcs11Uri(
        Path(texts["module-path"]),
        token=texts.get("token"),
        manufacturer=texts.get("manufacturer"),
        serial=texts.get("serial"),
        model=texts.get("model"),
        slot_id=None if slot is None else int(slot),
        label=texts.get("object"),
        id=key_id,
        pin_source=_path(texts.get("pin-source")),
        pin=texts.get("pin-value"),
    )


def _split(text: str, separator: str, known: tuple[str, ...]) -> dict[str, bytes]:
    """The attributes of one part. An unknown one is refused: ignored, it would let another key match."""
    given: dict[str, bytes] = {}
    for item in text.split(separator) if text else []:
        name, equals, value = item.partition("=")
        if name not in known or not equals:
            raise FormatError(f"PKCS#11 URI: attribute {name!r} is not one of {', '.join(known)}")
        if name in given:
            raise FormatError(f"PKCS#11 URI: attribute {name!r} is given twice")
        if not _VALUE.fullmatch(value) or not value:
            raise FormatError(f"PKCS#11 URI: the value of {name!r} is empty, or has a character to be written as %XX")
        given[name] = urllib.parse.unquote_to_bytes(value)
    return given


def _decode(name: str, value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise FormatError(f"PKCS#11 URI: the value of {name!r} is not UTF-8") from None  # the cause would show a PIN
    if "\0" in text:
        raise FormatError(f"PKCS#11 URI: the value of {name!r} has a NUL")
    return text


def _path(text: str | None) -> Path | None:
    if text is None:
        return None
    path = text.removeprefix("file://").removeprefix("file:")
    if not path.startswith("/"):
        raise FormatError("PKCS#11 URI: pin-source is no absolute path and no file: URI of one")
    return Path(path)
