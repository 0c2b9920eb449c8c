"""Secret keys sealed by a passphrase: scrypt, then AES-256-GCM. Source: docs/spec/key-files.md, section 2."""

from __future__ import annotations

import base64
import os
import re
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from wherefrom.errors import FormatError, UnavailableError
from wherefrom.notes import SigningKey, VerifierKey, format_verifier_key, parse_verifier_key

HEADER = "wherefrom-sealed-key-1\n"
LOG_N = 17

_LEAST_LOG_N, _MOST_LOG_N = 10, 18  # 1 MiB to 256 MiB of memory
_SALT_SIZE, _NONCE_SIZE = 16, 12
_SEALED_SIZE = _NONCE_SIZE + 32 + 16  # nonce, seed, tag
_FORM = re.compile(
    r"(?P<bound>wherefrom-sealed-key-1\n(?P<vkey>[^\n]+)\n"
    r"scrypt (?P<log_n>[1-9][0-9]) 8 1 (?P<salt>[A-Za-z0-9+/=]{24})\n)"
    r"(?P<sealed>[A-Za-z0-9+/]{80})\n"
)


@dataclass(frozen=True)
class SealedKey:
    """A sealed key, read but not opened. `bound`: what the seal covers besides the seed; `sealed`: nonce, seed, tag."""

    verifier_key: VerifierKey
    log_n: int
    salt: bytes
    bound: bytes = field(repr=False)
    sealed: bytes = field(repr=False)

    def open(self, passphrase: str) -> SigningKey:
        """Raises UnavailableError: another passphrase, or the file was changed. Takes about half a second."""
        nonce, ciphertext = self.sealed[:_NONCE_SIZE], self.sealed[_NONCE_SIZE:]
        try:
            seed = _cipher(passphrase, self.salt, self.log_n).decrypt(nonce, ciphertext, self.bound)
        except InvalidTag as error:
            raise UnavailableError(
                f"the passphrase does not open the sealed key {self.verifier_key.label}, or its file was changed"
            ) from error
        key = SigningKey(self.verifier_key.name, seed, self.verifier_key.key_type)
        if key.verifier_key != self.verifier_key:
            raise FormatError(f"sealed key {self.verifier_key.label} holds the secret of {key.verifier_key.label}")
        return key


def seal_key(key: SigningKey, passphrase: str, *, log_n: int = LOG_N) -> str:
    """The text of a file that only the passphrase opens; another one each time. `log_n` is for tests."""
    salt, nonce = os.urandom(_SALT_SIZE), os.urandom(_NONCE_SIZE)
    bound = f"{HEADER}{format_verifier_key(key.verifier_key)}\nscrypt {log_n} 8 1 {base64.b64encode(salt).decode()}\n"
    sealed = nonce + _cipher(passphrase, salt, log_n).encrypt(nonce, key.seed, bound.encode())
    return f"{bound}{base64.b64encode(sealed).decode()}\n"


def parse_sealed_key(text: str) -> SealedKey:
    """Raises FormatError for anything but the one spelling."""
    found = _FORM.fullmatch(text)
    if not found:
        raise FormatError("sealed key: is not the four lines of docs/spec/key-files.md, section 2")
    log_n, salt, sealed = (
        int(found["log_n"]),
        _decode(found["salt"], _SALT_SIZE),
        _decode(found["sealed"], _SEALED_SIZE),
    )
    if not _LEAST_LOG_N <= log_n <= _MOST_LOG_N:
        raise FormatError(f"sealed key: scrypt's log2 N is {log_n}, expected {_LEAST_LOG_N} to {_MOST_LOG_N}")
    return SealedKey(parse_verifier_key(found["vkey"]), log_n, salt, found["bound"].encode(), sealed)


def _decode(text: str, size: int) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise FormatError("sealed key: is not standard base64") from error
    if len(data) != size or base64.b64encode(data).decode() != text:
        raise FormatError(f"sealed key: base64 of {len(data)} bytes, expected the one spelling of {size}")
    return data


def _cipher(passphrase: str, salt: bytes, log_n: int) -> AESGCM:
    return AESGCM(Scrypt(salt=salt, length=32, n=1 << log_n, r=8, p=1).derive(passphrase.encode()))
