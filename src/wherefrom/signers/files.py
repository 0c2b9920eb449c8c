"""Files that secret keys are kept in, or that say where they are kept. Source: docs/spec/key-files.md."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import threading
from pathlib import Path

from wherefrom.errors import ConflictError, FormatError, NotFoundError, UnavailableError
from wherefrom.notes import (
    Signer,
    SigningKey,
    VerifierKey,
    format_signing_key,
    format_verifier_key,
    parse_signing_key,
    parse_verifier_key,
)
from wherefrom.signers import sealed
from wherefrom.signers.devices import open_device
from wherefrom.signers.passphrases import FILE, read_passphrase

MAX_FILE_SIZE = 16384

_PLAIN = "PRIVATE+KEY+"
_OPENED: dict[bytes, Signer] = {}
_OPENING = threading.Lock()


def open_signer(path: Path) -> Signer:
    """The key that a file holds, seals or names.

    A file is opened once per process and content: a passphrase is asked for once, and a device is asked for its key
    once. Raises NotFoundError, FormatError. UnavailableError: who may not read it, a plain key that others may read,
    no passphrase or a wrong one, a device that can't be reached or holds another key.
    """
    text, mode = _read(path)
    if (text.startswith(_PLAIN) or "pin-value=" in text) and mode & 0o077:
        raise UnavailableError(
            f"secret key {path} can be read or written by others (mode {mode:04o})", hint=f"chmod 600 {path}"
        )
    place = hashlib.sha256(str(path.absolute()).encode() + b"\0" + text.encode()).digest()
    with _OPENING:  # two threads must not ask the same person twice
        if place not in _OPENED:
            try:
                _OPENED[place] = _open(text)
            except FormatError as error:
                raise FormatError(f"key file {path}: {error}") from error
            except UnavailableError as error:
                raise UnavailableError(f"key file {path}: {error}", hint=error.hint) from error
        return _OPENED[place]


def read_verifier_key(path: Path) -> VerifierKey:
    """The public half, without passphrase or device."""
    text, _ = _read(path)
    if text.startswith(_PLAIN):
        return open_signer(path).verifier_key
    if text.startswith(sealed.HEADER):
        return sealed.parse_sealed_key(text).verifier_key
    return _parse_device(text)[0]


def is_sealed(path: Path) -> bool:
    """Whether a passphrase guards the key of a file."""
    return _read(path)[0].startswith(sealed.HEADER)


def opens_alone(path: Path) -> bool:
    """Whether any process that may read the file can use its key, with nobody asked for anything."""
    text, _ = _read(path)
    return text.startswith(_PLAIN) or (text.startswith(sealed.HEADER) and FILE in os.environ)


def write_key(path: Path, key: SigningKey, *, passphrase: str | None = None) -> None:
    """Keep a new secret key, for its owner's eyes only. Raises ConflictError: there is one already."""
    _write_new(path, f"{format_signing_key(key)}\n" if passphrase is None else sealed.seal_key(key, passphrase))


def write_device_key(path: Path, verifier_key: VerifierKey, uri: str) -> None:
    """Note where a secret key is kept. Raises ConflictError: there is a file already."""
    _write_new(path, f"{format_verifier_key(verifier_key)}\n{uri}\n")


def encrypt_key(path: Path, passphrase: str) -> None:
    """Seal the plain or sealed key of a file with a new passphrase, whole or not at all.

    Raises what `open_signer` raises, and UnavailableError for a key that is not in the file.
    """
    key = open_signer(path)
    if not isinstance(key, SigningKey):
        raise UnavailableError(f"{path} only names a key; its device guards it")
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    _write_new(new, sealed.seal_key(key, passphrase))
    try:
        new.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise UnavailableError(f"cannot write {path}: {error.strerror}") from error


def _open(text: str) -> Signer:
    if text.startswith(_PLAIN):
        return parse_signing_key(_line(text, "signing key"))
    if text.startswith(sealed.HEADER):
        key = sealed.parse_sealed_key(text)
        return key.open(read_passphrase(f"key {key.verifier_key.label}"))
    verifier_key, uri = _parse_device(text)
    device = open_device(uri, verifier_key.name)
    if device.verifier_key != verifier_key:
        raise UnavailableError(f"{uri.split(':')[0]} holds {device.verifier_key.label}, expected {verifier_key.label}")
    return device


def _parse_device(text: str) -> tuple[VerifierKey, str]:
    lines = text.split("\n")
    if len(lines) != 3 or lines[2]:
        raise FormatError("is no signing key, no sealed key, and not the two lines of a key in a device")
    return parse_verifier_key(lines[0]), lines[1]


def _line(text: str, what: str) -> str:
    if not text.endswith("\n") or text.count("\n") != 1:
        raise FormatError(f"{what} is not one line with its newline")
    return text[:-1]


def _read(path: Path) -> tuple[str, int]:
    """Text and permissions of one and the same file."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            data = file.read(MAX_FILE_SIZE + 1)
    except FileNotFoundError as error:
        raise NotFoundError(f"no key file {path}") from error
    except OSError as error:
        raise UnavailableError(f"secret key {path}: {error.strerror}", hint="only who holds it records") from error
    if len(data) > MAX_FILE_SIZE:
        raise FormatError(f"key file {path} has more than {MAX_FILE_SIZE} bytes")
    try:
        return data.decode(), mode
    except UnicodeDecodeError:
        raise FormatError(f"key file {path} is not UTF-8") from None  # the cause would show what is in it


def _write_new(path: Path, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConflictError(f"there is a key file {path} already") from error
    except OSError as error:
        raise UnavailableError(f"cannot write {path}: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(path.parent)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise UnavailableError(f"cannot write {path}: {error.strerror}") from error


def _sync_folder(folder: Path) -> None:
    """Make names in a folder last: a key that is on record must not be lost with the power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
