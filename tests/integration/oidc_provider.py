"""A real OpenID Connect provider (npm's `oidc-provider`, certified) in a process of its own, and a browser's part."""

import contextlib
import html
import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

HERE = Path(__file__).parent / "oidc"
CLIENT = {
    "client_id": "wherefrom",
    "client_secret": "known to both",
    "application_type": "native",  # so that any port of this machine will do
    "redirect_uris": ["http://127.0.0.1/login/callback"],
    "grant_types": ["authorization_code"],
    "response_types": ["code"],
}
PEOPLE = {
    "ada": {"email": "ada@example.com", "email_verified": True, "name": "Ada", "groups": ["data platform", "staff"]},
    "eve": {"email": "ada@example.com", "email_verified": False, "name": "Eve", "groups": ["staff"]},
}


def skip_without_provider():
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    if not (HERE / "node_modules" / "oidc-provider").exists():
        pytest.skip("npm's oidc-provider is not installed: npm ci --prefix tests/integration/oidc")


@contextlib.contextmanager
def oidc_provider(jwks, *, port=0, **client):
    """Runs it with these signing keys; gives its issuer. `client` changes what it knows of us."""
    settings = {"port": port, "clients": [CLIENT | client], "jwks": jwks, "people": PEOPLE}
    words = ["node", "provider.mjs", json.dumps(settings)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=HERE, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            issuer = next((line for line in process.stdout if line.startswith("http")), "").strip()
            assert issuer, "the provider did not start"
            yield issuer
        finally:
            process.stdin.close()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


@dataclass
class Browser:
    """Follows redirects and fills in forms, with cookies for the provider and for our application."""

    ours: httpx.Client  # a TestClient of the application, redirects not followed
    own_url: str
    seen: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.theirs = httpx.Client(timeout=60)

    def close(self):
        self.theirs.close()

    def get(self, url, *, stop_at=None):
        """The first answer that is no redirect; or the URL, when a redirect leads to one that begins with `stop_at`."""
        while True:
            if stop_at and url.startswith(stop_at):
                return url
            self.seen.append(url)
            answer = self._client(url).get(url)
            if not answer.is_redirect:
                return answer
            url = urljoin(url, answer.headers["location"])

    def log_in(self, name, url, *, stop_at=None):
        """Log in at the provider's pages, however many there are, and go where it leads."""
        answer = self.get(url, stop_at=stop_at)
        while not isinstance(answer, str) and (form := re.search(r'action="([^"]+/interaction/[^"]+)"', answer.text)):
            hidden = dict(re.findall(r'name="(prompt)" value="([^"]+)"', answer.text))
            target = urljoin(str(answer.url), html.unescape(form[1]))
            sent = self.theirs.post(target, data=hidden | {"login": name, "password": "any"})
            assert sent.is_redirect, sent.text
            answer = self.get(urljoin(target, sent.headers["location"]), stop_at=stop_at)
        return answer

    def _client(self, url):
        return self.ours if url.startswith(self.own_url) else self.theirs
