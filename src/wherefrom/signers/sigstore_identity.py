"""Who holds a key, on sigstore's word: a bundle over the verifier key's text. Needs the extra `sigstore`.

Checked offline. What is believed is a trusted root, which names sigstore's certificate authorities and logs: a file, or
the one that the installed library has of the public instance.
"""

from __future__ import annotations

from pathlib import Path

from wherefrom.errors import FormatError, UnavailableError, VerificationError
from wherefrom.notes import VerifierKey, format_verifier_key

MAX_BUNDLE_BYTES = 65536


def identity_message(*keys: VerifierKey) -> bytes:
    """What is signed of a key, or of both keys of a pair: a line for each, as `wherefrom keys show` prints them."""
    return "".join(f"{format_verifier_key(key)}\n" for key in keys).encode()


def verify_identity(
    bundle: str | bytes, message: bytes, *, identity: str, issuer: str, trusted_root: Path | None = None
) -> None:
    """Check that whoever `issuer` knew as `identity` signed a message; for a key, that of `identity_message`.

    Args:
        bundle: a sigstore bundle, JSON of at most 65,536 bytes.
        identity: as in the certificate: an e-mail address, or a workflow's URL.
        issuer: URL of the OpenID Connect provider that vouched for it.
        trusted_root: a sigstore `trusted_root.json`; None for the public instance's, as the installed library has it.

    Raises VerificationError: another identity, issuer or message, or a bundle that its root does not bear out.
    FormatError: no bundle, no trusted root. UnavailableError: the extra is missing, or a file can't be read.
    """
    if not identity or not issuer:
        raise FormatError("sigstore identity: name both the identity and the issuer that vouches for it")
    data = bundle.encode() if isinstance(bundle, str) else bundle
    if len(data) > MAX_BUNDLE_BYTES:
        raise FormatError(f"sigstore bundle has {len(data)} bytes, expected at most {MAX_BUNDLE_BYTES}")
    try:
        from sigstore import errors
        from sigstore.models import Bundle, ClientTrustConfig, TrustedRoot
        from sigstore.verify import Verifier, policy
    except ImportError as error:
        hint = "pip install 'wherefrom[sigstore]'"
        raise UnavailableError("sigstore identities need an extra: wherefrom[sigstore]", hint=hint) from error
    try:
        parsed = Bundle.from_json(data)
    except Exception as error:  # what its models raise for bytes of any kind is not documented
        raise FormatError(f"sigstore bundle: {_first_line(error)}") from error
    try:
        if trusted_root is None:
            root = ClientTrustConfig.production(offline=True).trusted_root
        else:
            root = TrustedRoot.from_file(str(trusted_root))
        verifier = Verifier(trusted_root=root)
    except OSError as error:
        where = trusted_root or "of the library"
        raise UnavailableError(f"sigstore trusted root {where}: {error.strerror}") from error
    except Exception as error:  # as above
        raise FormatError(f"sigstore trusted root {trusted_root or 'of the library'}: {_first_line(error)}") from error
    try:
        verifier.verify_artifact(message, parsed, policy.Identity(identity=identity, issuer=issuer))
    except errors.VerificationError as error:
        raise VerificationError(f"sigstore bundle does not show {identity} ({issuer}): {_first_line(error)}") from error
    except Exception as error:  # a kind of bundle that the library does not know: neither true nor false
        raise UnavailableError(f"sigstore bundle can't be checked: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
