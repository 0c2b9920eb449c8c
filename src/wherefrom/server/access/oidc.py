"""An OpenID Connect provider, where people log in. Source: OpenID Connect Core 1.0, Discovery 1.0; RFC 7636, RFC 9207.

The provider is asked when it is first needed, so the server starts without it, and its keys are asked for again when a
token names one that is not known yet.
"""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote_plus, urlencode, urlsplit

from wherefrom import fetch
from wherefrom.errors import FormatError, Unauthenticated, UnavailableError
from wherefrom.server.access.id_tokens import Jwk, verify_token
from wherefrom.statements import check_principal, parse_json

if TYPE_CHECKING:
    from wherefrom.server.settings import Settings

MAX_REPLY_BYTES: Final = 1 << 20
TIMEOUT_S: Final = 10.0
KEEP_S: Final = 3600.0
"""How long what the provider says of itself is believed."""
ASK_AGAIN_S: Final = 10.0
"""Between two questions for keys, however many tokens name unknown ones."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class LoginSettings:
    """Where and how people log in.

    Attributes:
        issuer: URL of the provider, exactly as it calls itself.
        client_id: what it knows this server as; `client_secret` what it knows it by, None for a public client.
        user_claim: names the person. `email` counts only where the provider says that it is verified.
        groups_claim: names the person's groups.
        audience: tokens of the provider for this audience are taken as Bearer tokens; None: no such are.
        public_url: where browsers reach this server; what they asked for by default.
        session_s: how long a login lasts.
    """

    issuer: str
    client_id: str
    client_secret: str | None = None
    user_claim: str = "email"
    groups_claim: str = "groups"
    audience: str | None = None
    public_url: str | None = None
    session_s: int = 8 * 3600


@dataclass(frozen=True)
class Login:
    """A person, as the provider says; `groups` as it names them."""

    principal: str
    groups: tuple[str, ...]
    issuer: str
    expires: datetime


@dataclass(frozen=True)
class _Endpoints:
    authorization: str
    token: str
    keys: str
    secret_in_body: bool


class Provider:
    """Safe for many threads."""

    def __init__(self, settings: LoginSettings) -> None:
        """Raises FormatError for an issuer that is no https URL; http is for this machine only."""
        self.settings = settings
        _check_url(settings.issuer, "issuer")
        self._endpoints: _Endpoints | None = None
        self._endpoints_until = float("-inf")
        self._keys: Sequence[Jwk] = ()
        self._keys_asked = float("-inf")
        self._lock = threading.Lock()

    def login_url(self, *, redirect_uri: str, state: str, nonce: str, verifier: str) -> str:
        """Where a browser is sent. `verifier`: 43 or more characters that nobody else knows (PKCE, RFC 7636)."""
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect_uri,
            "scope": "openid email profile",
            "state": state,
            "nonce": nonce,
            "code_challenge": _encode(hashlib.sha256(verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        url = self._read_endpoints().authorization
        return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"

    def finish_login(self, code: str, *, redirect_uri: str, nonce: str, verifier: str) -> Login:
        """Exchange the code that the browser brought back for a token that says who logged in.

        Raises Unauthenticated: the code was used before or is not for us, or the token says something else than it
        must. UnavailableError: the provider doesn't answer as it should.
        """
        endpoints, settings = self._read_endpoints(), self.settings
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if settings.client_secret is None or endpoints.secret_in_body:
            form["client_id"] = settings.client_id
        if settings.client_secret is not None:
            if endpoints.secret_in_body:
                form["client_secret"] = settings.client_secret
            else:
                pair = f"{quote_plus(settings.client_id)}:{quote_plus(settings.client_secret)}"
                headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        body = urlencode(form).encode()
        reply = fetch.request(
            "POST", endpoints.token, body=body, headers=headers, max_bytes=MAX_REPLY_BYTES, timeout_s=TIMEOUT_S
        )
        if 400 <= reply.status < 500:
            raise Unauthenticated("the login provider does not take this login", hint="log in again")
        found = _parse(reply, endpoints.token)
        if not isinstance(found.get("id_token"), str):
            raise UnavailableError(f"login provider: {endpoints.token} gave no id_token")
        claims = verify_token(found["id_token"], self.find_keys, issuer=settings.issuer, audience=settings.client_id)
        if claims.get("nonce") != nonce:
            raise Unauthenticated("login token: belongs to another login", hint="log in again")
        return self._login_of(claims, datetime.now(UTC) + timedelta(seconds=settings.session_s))

    def login_of_bearer(self, text: str) -> Login:
        """Whom a token of the provider names that a program sends us. Raises Unauthenticated."""
        audience = self.settings.audience
        if audience is None:
            raise Unauthenticated("tokens of the login provider are not taken here")
        claims = verify_token(text, self.find_keys, issuer=self.settings.issuer, audience=audience, is_id_token=False)
        return self._login_of(claims, datetime.fromtimestamp(min(claims["exp"], 2**37), UTC))

    def _login_of(self, claims: Mapping[str, Any], expires: datetime) -> Login:
        name = claims.get(self.settings.user_claim)
        if not isinstance(name, str) or not name:
            raise Unauthenticated(f"login token: has no claim {self.settings.user_claim!r} that names the person")
        if self.settings.user_claim == "email" and claims.get("email_verified") is not True:
            raise Unauthenticated("login token: the provider has not verified the e-mail address")
        try:
            principal = check_principal(f"user:{name}")
        except FormatError as error:
            raise Unauthenticated(f"login token: {error}") from error
        given = claims.get(self.settings.groups_claim)
        listed = [given] if isinstance(given, str) else given if isinstance(given, list) else []
        groups = {group for group in listed if isinstance(group, str) and _is_group(group)}
        return Login(principal, tuple(sorted(groups)), self.settings.issuer, expires)

    def find_keys(self, key_id: str | None) -> Sequence[Jwk]:
        """The provider's keys of an id, or all of them; asked for again when there is none of that id."""
        with self._lock:
            found = self._known_keys(key_id)
            stale = time.monotonic() - self._keys_asked > KEEP_S
            if (not found or stale) and time.monotonic() - self._keys_asked > ASK_AGAIN_S:
                url = self._read_endpoints().keys
                keys = _parse(_get(url), url).get("keys")
                self._keys = [key for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []
                self._keys_asked = time.monotonic()
                found = self._known_keys(key_id)
            return found

    def _known_keys(self, key_id: str | None) -> Sequence[Jwk]:
        return [key for key in self._keys if key_id is None or key.get("kid") == key_id]

    def _read_endpoints(self) -> _Endpoints:
        if self._endpoints is None or time.monotonic() > self._endpoints_until:
            issuer = self.settings.issuer
            url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
            found = _parse(_get(url), url)
            if found.get("issuer") != issuer:
                raise UnavailableError(f"login provider: {url} is of {found.get('issuer')!r:.200}, expected {issuer!r}")
            named = [found.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
            authorization, token, keys = (_check_url(value, "endpoint") for value in named)
            methods = found.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
            in_body = isinstance(methods, list) and "client_secret_basic" not in methods
            self._endpoints = _Endpoints(authorization, token, keys, in_body)
            self._endpoints_until = time.monotonic() + KEEP_S
        return self._endpoints


def read_provider(settings: Settings) -> Provider | None:
    """The provider that the server's settings name; None when they name none.

    Raises FormatError: half of it is missing. UnavailableError: the secret's file can't be read.
    """
    issuer, client_id, secret_file = settings.oidc_issuer, settings.oidc_client_id, settings.oidc_secret_file
    if not (issuer or client_id):
        return None
    if not (issuer and client_id):
        raise FormatError(f"login provider: issuer is {issuer!r} and client id {client_id!r}, expected both")
    try:
        secret = secret_file.read_text().strip() if secret_file else None
    except (OSError, UnicodeDecodeError) as error:
        raise UnavailableError(f"login provider: client secret {secret_file}: {error}") from error
    return Provider(
        LoginSettings(
            issuer,
            client_id,
            secret,
            user_claim=settings.oidc_user_claim,
            groups_claim=settings.oidc_groups_claim,
            audience=settings.oidc_audience,
            public_url=settings.public_url,
        )
    )


def _get(url: str) -> fetch.Reply:
    return fetch.get(url, max_bytes=MAX_REPLY_BYTES, timeout_s=TIMEOUT_S)


def _parse(reply: fetch.Reply, url: str) -> dict[str, Any]:
    if reply.status != 200:
        raise UnavailableError(f"login provider: {url} answered {reply.status}")
    try:
        found = parse_json(reply.body, what=url)
    except FormatError as error:
        raise UnavailableError(f"login provider: {error}") from error
    if not isinstance(found, dict):
        raise UnavailableError(f"login provider: {url} gave no object")
    return found


def _check_url(url: object, what: str) -> str:
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
    except ValueError:
        parts = None
    if parts and (
        (parts.scheme == "https" and parts.hostname) or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    ):
        return str(url)
    raise FormatError(f"login provider: {what} {url!r:.200}: expected an https URL")


def _is_group(name: str) -> bool:
    try:
        check_principal(f"group:{name}")
    except FormatError:
        return False
    return True


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
