"""Where secret keys are kept: plain and encrypted files, hardware modules. All of them sign through one Protocol.

    signer = open_signer(Path(".wherefrom/keys/log"))
    signer.sign(message)

Which kind a file is, its content says. `docs/spec/key-files.md` is the format, `docs/keys.md` the manual.
"""

from wherefrom.signers.devices import DeviceSigner, open_device
from wherefrom.signers.files import (
    encrypt_key,
    is_sealed,
    open_signer,
    opens_alone,
    read_verifier_key,
    write_device_key,
    write_key,
)
from wherefrom.signers.passphrases import ask_with, read_passphrase
from wherefrom.signers.sigstore_identity import identity_message, verify_identity

__all__ = [
    "DeviceSigner",
    "ask_with",
    "encrypt_key",
    "identity_message",
    "is_sealed",
    "open_device",
    "open_signer",
    "opens_alone",
    "read_passphrase",
    "read_verifier_key",
    "verify_identity",
    "write_device_key",
    "write_key",
]
