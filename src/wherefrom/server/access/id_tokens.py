"""Tokens that a login provider signs (JWT), verified. Source: OpenID Connect Core 1.0, section 3.1.3.7; RFC 8725.

Nothing that the token brings says how it is verified: the algorithm is one of three, the key one that the provider
publishes and of the kind which that algorithm takes. So `none`, a public key used as a shared secret, and keys that
come inside or beside the token (`jwk`, `jku`, `x5c`, `x5u`) get nowhere.
"""

from __future__ import annotations

import base64
import binascii
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from wherefrom.errors import FormatError, Unauthenticated
from wherefrom.strict import parse_json

ALGORITHMS: Final = {"RS256": ("RSA", None), "ES256": ("EC", "P-256"), "EdDSA": ("OKP", "Ed25519")}
"""What a signature may be made by: JWK key type, and curve."""
LEEWAY_S: Final = 60
"""By which the provider's clock and ours may differ."""
MAX_CHARACTERS: Final = 16384
MIN_RSA_BITS: Final = 2048

_PUBLIC: Final = frozenset({"kty", "crv", "n", "e", "x", "y"})

Jwk = Mapping[str, Any]


def verify_token(
    text: str,
    find_keys: Callable[[str | None], Sequence[Jwk]],
    *,
    issuer: str,
    audience: str,
    is_id_token: bool = True,
    now: float | None = None,
) -> dict[str, Any]:
    """The claims of a token that the provider signed, for us, and that is in force now. Raises Unauthenticated.

    Args:
        find_keys: the provider's keys of an id, or all of them for None.
        issuer, audience: what the claims `iss` and `aud` must say.
        is_id_token: it says who logged in for us, and for nobody else: `azp` is us where there is one, as there must be
            beside several audiences.
        now: seconds since 1970.
    """
    header, claims, signature = _split(text)
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise Unauthenticated(f"login token: algorithm {algorithm!r:.40}, expected one of {', '.join(ALGORITHMS)}")
    if "crit" in header:
        raise Unauthenticated("login token: has extensions that must be understood, and we know none")
    key_id = header.get("kid")
    if not isinstance(key_id, str | None):
        raise Unauthenticated("login token: its key id is no text")
    keys = [key for key in find_keys(key_id) if _fits(key, algorithm)]
    if len(keys) != 1:
        raise Unauthenticated(f"login token: the provider has {len(keys)} keys {key_id!r:.80} for {algorithm}")
    _verify_signature(text.rpartition(".")[0].encode(), signature, keys[0], algorithm)
    _check_claims(claims, issuer=issuer, audience=audience, is_id_token=is_id_token, now=now or time.time())
    return claims


def _split(text: str) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Header, claims and signature. The two are read strictly: two members of one name would mean two things."""
    parts = text.split(".")
    if len(parts) != 3 or len(text) > MAX_CHARACTERS or not text.isascii():
        raise Unauthenticated(f"login token: expected three parts of at most {MAX_CHARACTERS} characters in all")
    try:
        header, claims, signature = map(_decode, parts)
        named = {"header": parse_json(header, what="its header"), "claims": parse_json(claims, what="its claims")}
    except (FormatError, binascii.Error) as error:
        raise Unauthenticated(f"login token: cannot be read: {error}") from error
    for what, value in named.items():
        if not isinstance(value, dict):
            raise Unauthenticated(f"login token: its {what} is no object")
    return named["header"], named["claims"], signature


def _decode(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)


def _fits(key: Jwk, algorithm: str) -> bool:
    kind, curve = ALGORITHMS[algorithm]
    return (
        key.get("kty") == kind
        and (curve is None or key.get("crv") == curve)
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
    )


def _verify_signature(signed: bytes, signature: bytes, jwk: Jwk, algorithm: str) -> None:
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, OKPKey, RSAKey
    from joserfc.jws import JWSRegistry

    kinds: dict[str, Any] = {"RS256": RSAKey, "ES256": ECKey, "EdDSA": OKPKey}
    # By the algorithm itself: the library's own reading of a token would heed what stands in its header.
    model = JWSRegistry.algorithms["Ed25519" if algorithm == "EdDSA" else algorithm]
    try:
        if algorithm == "RS256" and int.from_bytes(_decode(jwk["n"])).bit_length() < MIN_RSA_BITS:
            raise Unauthenticated(f"login token: the provider's key has fewer than {MIN_RSA_BITS} bits")
        key = kinds[algorithm].import_key({name: jwk[name] for name in jwk if name in _PUBLIC})
        model.check_key(key)
        is_right = model.verify(signed, signature, key)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise Unauthenticated(f"login token: the provider's key cannot be read: {error}") from error
    if not is_right:
        raise Unauthenticated("login token: its signature is not by the provider")


def _check_claims(claims: Mapping[str, Any], *, issuer: str, audience: str, is_id_token: bool, now: float) -> None:
    if claims.get("iss") != issuer:
        raise Unauthenticated(f"login token: issued by {claims.get('iss')!r:.200}, expected {issuer!r}")
    given = claims.get("aud")
    audiences = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    if audience not in audiences:
        raise Unauthenticated(f"login token: is for {given!r:.200}, expected {audience!r}")
    if is_id_token and claims.get("azp", audience if len(audiences) == 1 else None) != audience:
        raise Unauthenticated(f"login token: was asked for by {claims.get('azp')!r:.200}, expected {audience!r}")
    if not isinstance(claims.get("sub"), str) or not claims["sub"]:
        raise Unauthenticated("login token: names nobody")
    if _instant(claims, "exp") <= now - LEEWAY_S:
        raise Unauthenticated("login token: has expired")
    if _instant(claims, "iat") > now + LEEWAY_S:
        raise Unauthenticated("login token: was issued in the future")
    if "nbf" in claims and _instant(claims, "nbf") > now + LEEWAY_S:
        raise Unauthenticated("login token: is not in force yet")


def _instant(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise Unauthenticated(f"login token: {name} is {value!r:.40}, expected seconds since 1970")
    return float(value)
