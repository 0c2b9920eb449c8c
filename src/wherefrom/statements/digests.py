"""Digests: an algorithm's name and lower-case hex, as in-toto's DigestSet writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherefrom.errors import FormatError
from wherefrom.strict import is_hex

# Algorithm to digest size in bytes. The first of several digests, in this order, tells the versions of an entity apart.
DIGEST_SIZES = {
    "sha256": 32,  # of a file's bytes (the same as its Git LFS oid), or of a public key's 32 bytes
    "wf-files-1": 32,  # docs/spec/fingerprint-files-v1.md
    "wf-records-1": 32,  # docs/spec/fingerprint-records-v1.md
    "wf-entry-1": 32,  # leaf hash of a ledger entry: names a statement
    "wf-run-1": 32,  # SHA-256 of a run id's text: names a run
    "gitCommit": 20,
}


def check_digests(value: Mapping[str, Any], *, what: str, path: str) -> dict[str, str]:
    """Return the digests in preference order. Raises FormatError for an unknown algorithm or a wrong length."""
    for algorithm, text in value.items():
        size = DIGEST_SIZES.get(algorithm)
        if size is None:
            known = ", ".join(DIGEST_SIZES)
            raise FormatError(f"{what}: {path}.{algorithm}: unknown digest algorithm; known: {known}")
        if not isinstance(text, str) or not is_hex(text, size=size):
            raise FormatError(f"{what}: {path}.{algorithm}: is {text!r}, expected {2 * size} lower-case hex digits")
    return {algorithm: value[algorithm] for algorithm in DIGEST_SIZES if algorithm in value}


def format_digest(algorithm: str, text: str) -> str:
    return f"{algorithm}:{text}"


def primary_digest(digests: Mapping[str, str]) -> str:
    """The digest that tells versions apart, as `algorithm:hex`; "" when there is none."""
    return next((format_digest(a, digests[a]) for a in DIGEST_SIZES if a in digests), "")
