"""Secret keys that never leave where they were made: hardware modules, cloud services. Named by URIs.

`pkcs11:` is built in. Any other scheme comes from an installed package with an entry point in the group
`wherefrom.signers`, whose name is the scheme, and which is a function

    def open_key(uri: str, name: str) -> wherefrom.notes.Signer

`name` is what the key is called in verifier keys; the signer's `verifier_key` has it, and the public key of the device.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Callable
from dataclasses import dataclass

from wherefrom.errors import FormatError, SignatureError, UnavailableError, WherefromError
from wherefrom.notes import Signer, VerifierKey

GROUP = "wherefrom.signers"
MAX_URI_SIZE = 4096

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):[\x21-\x7e]+")


@dataclass(frozen=True)
class DeviceSigner:
    """A key in a device; each of its signatures is checked before anybody else sees it."""

    verifier_key: VerifierKey
    device: Signer
    scheme: str

    def sign(self, message: bytes, /) -> bytes:
        """Raises UnavailableError, also for a signature that is not by this key."""
        try:
            signature = self.device.sign(message)
        except WherefromError:
            raise
        except Exception as error:  # a plugin's own exceptions are not known here
            raise UnavailableError(f"key {self.verifier_key.label}, {self.scheme}: {error!r}") from error
        try:
            self.verifier_key.verify(message, signature)
        except SignatureError as error:
            raise UnavailableError(f"{self.scheme} signed with another key than {self.verifier_key.label}") from error
        return signature


def open_device(uri: str, name: str) -> DeviceSigner:
    """The key that a URI names, to be called `name`.

    Raises FormatError: no URI. UnavailableError: nobody here knows the scheme, or the device can't be reached.
    """
    found = _SCHEME.fullmatch(uri)
    if not found or len(uri) > MAX_URI_SIZE:
        raise FormatError(f"{uri[:60]!r} is no URI of a key, such as pkcs11:token=ledger;object=log?module-path=/…")
    scheme = found[1]
    try:
        device = _find(scheme)(uri, name)
        key = device.verifier_key
    except WherefromError:
        raise
    except Exception as error:  # a plugin's own exceptions are not known here
        raise UnavailableError(f"{scheme}: {error!r}") from error
    if key.name != name:
        raise UnavailableError(f"{scheme}: the key is called {key.name!r}, expected {name!r}")
    return DeviceSigner(key, device, scheme)


def _find(scheme: str) -> Callable[[str, str], Signer]:
    if scheme == "pkcs11":
        from wherefrom.signers.pkcs11 import open_pkcs11

        return open_pkcs11
    found = list(importlib.metadata.entry_points(group=GROUP, name=scheme))
    if not found:
        known = sorted({"pkcs11", *importlib.metadata.entry_points(group=GROUP).names})
        raise UnavailableError(
            f"keys of scheme {scheme!r} are not known here; known: {', '.join(known)}",
            hint=f"a package with an entry point {scheme!r} in the group {GROUP} brings it: docs/keys.md",
        )
    if len(found) > 1:
        raise UnavailableError(f"{len(found)} installed packages bring keys of scheme {scheme!r}, expected one")
    opener: Callable[[str, str], Signer] = found[0].load()
    return opener
