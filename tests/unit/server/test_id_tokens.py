"""A login provider's token is believed when the provider's key signed it, for us, and it is in force; else never."""

import base64
import hmac
import json
import warnings

import pytest

pytest.importorskip("joserfc", reason="joserfc is not installed: the extra `server` has it")

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from wherefrom.errors import Unauthenticated
from wherefrom.server.access.id_tokens import LEEWAY_S, verify_token

NOW = 1_800_000_000
ISSUER = "https://login.example.com"
CLAIMS = {"iss": ISSUER, "aud": "wherefrom", "sub": "1f0c", "exp": NOW + 600, "iat": NOW - 5}
KINDS = {"RS256": (RSAKey, 2048), "ES256": (ECKey, "P-256"), "EdDSA": (OKPKey, "Ed25519")}
KEYS = {kind: made.generate_key(size, {"kid": f"of {kind}"}) for kind, (made, size) in KINDS.items()}
PUBLISHED = [key.as_dict(private=False) | {"use": "sig"} for key in KEYS.values()]


def find_keys(key_id):
    return [key for key in PUBLISHED if key_id is None or key["kid"] == key_id]


def sign(claims, kind="RS256", key=None, **header):
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    registry = jws.JWSRegistry(algorithms=[kind], strict_check_header=False)
    named = {"alg": kind, "kid": f"of {kind}"} | header
    named = {name: value for name, value in named.items() if value is not None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library would have EdDSA called by a newer name
        return jws.serialize_compact(named, payload, key or KEYS[kind], algorithms=[kind], registry=registry)


def verify(text, **options):
    return verify_token(text, find_keys, **{"issuer": ISSUER, "audience": "wherefrom", "now": NOW} | options)


def encode(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_by_the_provider_is_believed_and_no_changed_one(kind):
    text = sign(CLAIMS, kind)
    assert verify(text) == CLAIMS
    header, payload, signature = text.split(".")
    other = encode(CLAIMS | {"sub": "somebody else"})
    flipped = bytearray(base64.urlsafe_b64decode(signature + "=="))
    flipped[0] ^= 1
    for changed in (
        f"{header}.{other}.{signature}",
        f"{header}.{payload}.{encode(bytes(flipped))}",
        f"{header}.{payload}.",
        f"{header}.{payload}",
        text + "A",
        text + ".",
    ):
        with pytest.raises(Unauthenticated):
            verify(changed)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, ["RS256"], 1])
def test_a_token_without_a_signature_is_not_believed_however_it_says_so(algorithm):
    for signature in ("", encode(b"x")):
        with pytest.raises(Unauthenticated, match="algorithm"):
            verify(f"{encode({'alg': algorithm, 'kid': 'of RS256'})}.{encode(CLAIMS)}.{signature}")


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_the_public_key_is_no_shared_secret(algorithm):
    """Whoever verifies with the algorithm that the token names would take the published key as HMAC's secret."""
    for secret in (
        KEYS["RS256"].as_pem(private=False),
        KEYS["RS256"].as_der(private=False),
        json.dumps(PUBLISHED[0]).encode(),
        PUBLISHED[0]["n"].encode(),
    ):
        signed = f"{encode({'alg': algorithm, 'kid': 'of RS256'})}.{encode(CLAIMS)}"
        forged = hmac.new(secret, signed.encode(), f"sha{algorithm[2:]}").digest()
        with pytest.raises(Unauthenticated, match="algorithm"):
            verify(f"{signed}.{encode(forged)}")


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256", "ES384", "ES256K", "rs256", "Ed448"])
def test_other_algorithms_are_not_taken_even_with_the_right_key(algorithm):
    with pytest.raises(Unauthenticated, match="algorithm"):
        verify(f"{encode({'alg': algorithm, 'kid': 'of RS256'})}.{encode(CLAIMS)}.{encode(bytes(256))}")


def test_a_key_signs_with_its_own_algorithm_only():
    with pytest.raises(Unauthenticated, match="0 keys"):
        verify(sign(CLAIMS, "ES256", kid="of RS256"))
    with pytest.raises(Unauthenticated, match="0 keys"):
        verify(sign(CLAIMS, "EdDSA", kid="of ES256"))


def test_a_key_that_comes_with_the_token_is_not_used():
    mine = RSAKey.generate_key(2048, {"kid": "mine"})
    public = mine.as_dict(private=False)
    for header in (
        {"jwk": public},
        {"jwk": public, "kid": "mine"},
        {"jku": "https://evil.example.com/jwks"},
        {"jku": "https://evil.example.com/jwks", "kid": "mine"},
        {"x5u": "https://evil.example.com/chain"},
        {"x5c": [base64.b64encode(mine.as_der(private=False)).decode()]},
        {"kid": "../../dev/null"},
        {"kid": "' OR 1=1 --"},
        {"kid": None},
    ):
        with pytest.raises(Unauthenticated):
            verify(sign(CLAIMS, "RS256", mine, **header))
    assert verify(sign(CLAIMS, jwk=public)) == CLAIMS  # it is passed over: the provider's key signed


def test_an_unknown_key_id_is_refused_and_none_will_do_where_there_is_one_such_key():
    with pytest.raises(Unauthenticated, match="0 keys"):
        verify(sign(CLAIMS, kid="another"))
    assert verify(sign(CLAIMS, kid=None)) == CLAIMS
    two = [*PUBLISHED, RSAKey.generate_key(2048, {"kid": "second"}).as_dict(private=False)]
    with pytest.raises(Unauthenticated, match="2 keys"):
        verify_token(sign(CLAIMS, kid=None), lambda _: two, issuer=ISSUER, audience="wherefrom", now=NOW)


def test_keys_for_encryption_and_short_keys_are_not_used():
    [encrypting] = find_keys("of RS256")
    with pytest.raises(Unauthenticated, match="0 keys"):
        verify_token(sign(CLAIMS), lambda _: [encrypting | {"use": "enc"}], issuer=ISSUER, audience="wherefrom")
    with pytest.raises(Unauthenticated, match="0 keys"):
        verify_token(sign(CLAIMS), lambda _: [encrypting | {"alg": "RS512"}], issuer=ISSUER, audience="wherefrom")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        short = RSAKey.generate_key(1024, {"kid": "short"})
        text = sign(CLAIMS, "RS256", short, kid="short")
    with pytest.raises(Unauthenticated, match="bits"):
        verify_token(text, lambda _: [short.as_dict(private=False)], issuer=ISSUER, audience="wherefrom", now=NOW)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"iss": "https://login.example.com/"}, "issued by"),
        ({"iss": "https://evil.example.com"}, "issued by"),
        ({"iss": None}, "issued by"),
        ({"aud": "another"}, "is for"),
        ({"aud": ["another"]}, "is for"),
        ({"aud": None}, "is for"),
        ({"aud": {"wherefrom": 1}}, "is for"),
        ({"aud": ["wherefrom", "another"]}, "asked for by"),
        ({"aud": ["wherefrom", "another"], "azp": "another"}, "asked for by"),
        ({"azp": "another"}, "asked for by"),
        ({"exp": NOW - LEEWAY_S}, "expired"),
        ({"exp": None}, "exp is"),
        ({"exp": str(NOW + 600)}, "exp is"),
        ({"exp": True}, "exp is"),
        ({"iat": NOW + LEEWAY_S + 1}, "in the future"),
        ({"iat": None}, "iat is"),
        ({"nbf": NOW + LEEWAY_S + 1}, "not in force"),
        ({"nbf": "soon"}, "nbf is"),
        ({"sub": ""}, "nobody"),
        ({"sub": 7}, "nobody"),
    ],
    ids=str,
)
def test_a_token_that_is_not_for_us_and_now_is_refused_though_the_provider_signed_it(changed, problem):
    with pytest.raises(Unauthenticated, match=problem):
        verify(sign({name: value for name, value in (CLAIMS | changed).items() if value is not None}))


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": ["wherefrom"]},
        {"aud": ["wherefrom", "another"], "azp": "wherefrom"},
        {"exp": NOW - LEEWAY_S + 1},
        {"iat": NOW + LEEWAY_S},
        {"nbf": NOW},
        {"exp": NOW + 0.5},
    ],
    ids=str,
)
def test_a_token_that_is_for_us_and_now_is_taken(changed):
    assert verify(sign(CLAIMS | changed)) == CLAIMS | changed


def test_what_means_two_things_is_refused():
    twice = json.dumps(CLAIMS)[:-1].encode() + b', "sub": "somebody else"}'
    with pytest.raises(Unauthenticated, match="key appears twice"):
        verify(sign(twice))
    with pytest.raises(Unauthenticated, match="no JSON form"):
        verify(sign(json.dumps(CLAIMS)[:-1].encode() + b', "exp": NaN}'))
    header = b'{"alg":"RS256","alg":"none","kid":"of RS256"}'
    with pytest.raises(Unauthenticated, match="key appears twice"):
        verify(f"{encode(header)}.{encode(CLAIMS)}.")


def test_extensions_that_must_be_understood_are_not():
    text = sign(CLAIMS)
    header = encode({"alg": "RS256", "kid": "of RS256", "crit": ["b64"], "b64": False})
    with pytest.raises(Unauthenticated, match="extensions"):
        verify(".".join([header, *text.split(".")[1:]]))


@pytest.mark.parametrize(
    "text", ["", "..", "a.b.c", "é.é.é", "A" * 20000, "e30.e30.e30", "bnVsbA.bnVsbA.", "W10.W10.W10"]
)
def test_what_is_no_token_is_refused(text):
    with pytest.raises(Unauthenticated):
        verify(text)
