"""Block headers from a server: Bitcoin Core's JSON-RPC, or whatever speaks Esplora's HTTP interface.

A server can't make up a block for less than the work that `verify_ots` asks for; but it can show a stale one, or none.
Who wants to trust no server takes a file of the whole chain.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

from wherefrom.anchors.bitcoin import MAX_FILE_BYTES, BlockHeader, BlockHeaders, parse_header, parse_header_file
from wherefrom.errors import FormatError, NotFoundError, UnavailableError
from wherefrom.fetch import get, request
from wherefrom.strict import is_hex, parse_json

_MAX_REPLY: Final = 1 << 16
_CORE: Final = ("bitcoin+http", "bitcoin+https")


def open_headers(where: str) -> BlockHeaders:
    """Block headers from what a user names.

    `https://…/api`: a server that speaks Esplora. `bitcoin+http://USER:PASSWORD@HOST:PORT`, or
    `bitcoin+http://HOST:PORT?cookie=FILE`: Bitcoin Core. Anything else: a file, as `parse_header_file` reads it.

    Raises FormatError, NotFoundError, UnavailableError.
    """
    if where.startswith(("http://", "https://")):
        return Esplora(where)
    if where.startswith(tuple(f"{scheme}://" for scheme in _CORE)):
        return BitcoinCore.open(where)
    path = Path(where)
    try:
        with path.open("rb") as file:
            return parse_header_file(file.read(MAX_FILE_BYTES + 1))
    except FileNotFoundError as error:
        raise NotFoundError(f"no file of block headers {where}") from error
    except OSError as error:
        raise UnavailableError(f"cannot read {where}: {error.strerror}") from error


@dataclass(frozen=True)
class Esplora:
    """A block explorer that has the paths `/block-height/N` and `/block/HASH/header` below its URL."""

    url: str

    def read(self, height: int) -> BlockHeader:
        block_hash = self._get(f"block-height/{height}", size=32)
        return _check_hash(self._get(f"block/{block_hash.hex()}/header", size=80), block_hash, self.url)

    def _get(self, path: str, *, size: int) -> bytes:
        url = f"{self.url.rstrip('/')}/{path}"
        reply = get(url, max_bytes=_MAX_REPLY)
        if reply.status != 200:
            raise UnavailableError(f"{url} answers with status {reply.status}, expected 200")
        return _parse_hex(reply.body.decode("ascii", "replace").strip(), size, what=url)


@dataclass(frozen=True)
class BitcoinCore:
    """A Bitcoin Core node's JSON-RPC. `url` without credentials; `authorization`: the header's value, a secret."""

    url: str
    authorization: str

    def __repr__(self) -> str:
        return f"BitcoinCore({self.url!r})"

    @classmethod
    def open(cls, where: str) -> BitcoinCore:
        """Credentials from the URL, or from the cookie file that it names, which the node renews at each start."""
        try:
            parts = urlsplit(where.removeprefix("bitcoin+"))
            host = parts.netloc.rpartition("@")[2]
        except ValueError as error:
            raise FormatError(f"URL of Bitcoin Core cannot be read: {error}") from error
        if cookie := parse_qs(parts.query).get("cookie"):
            try:
                credentials = Path(cookie[0]).read_text(encoding="utf-8").strip()
            except (OSError, ValueError) as error:
                raise UnavailableError(f"cannot read the cookie of Bitcoin Core, {cookie[0]}: {error}") from error
        else:
            credentials = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        encoded = base64.b64encode(credentials.encode()).decode()
        return cls(urlunsplit((parts.scheme, host, parts.path or "/", "", "")), f"Basic {encoded}")

    def read(self, height: int) -> BlockHeader:
        block_hash = _parse_hex(self._call("getblockhash", height), 32, what=self.url)
        header = _parse_hex(self._call("getblockheader", block_hash.hex(), False), 80, what=self.url)
        return _check_hash(header, block_hash, self.url)

    def _call(self, method: str, *parameters: str | int) -> str:
        body = json.dumps({"jsonrpc": "1.0", "id": "wherefrom", "method": method, "params": parameters}).encode()
        headers = {"Content-Type": "application/json", "Authorization": self.authorization}
        reply = request("POST", self.url, body=body, headers=headers, max_bytes=_MAX_REPLY)
        if reply.status == 401:
            raise UnavailableError(f"{self.url} does not know the user or password", hint="see its cookie file")
        try:
            answer: Any = parse_json(reply.body, what=self.url)
        except FormatError as error:
            raise UnavailableError(f"{self.url} answers with status {reply.status}, and no JSON") from error
        result = answer.get("result") if isinstance(answer, dict) else None
        if reply.status != 200 or not isinstance(result, str):
            problem = answer.get("error") if isinstance(answer, dict) else None
            said = problem.get("message") if isinstance(problem, dict) else None
            raise UnavailableError(f"{self.url}: {method} fails with status {reply.status}: {str(said)[:200]}")
        return result


def _parse_hex(text: str, size: int, *, what: str) -> bytes:
    if not is_hex(text, size=size):
        raise UnavailableError(f"{what} answers {text[:80]!r}, expected {2 * size} hex digits")
    return bytes.fromhex(text)


def _check_hash(header: bytes, block_hash: bytes, url: str) -> BlockHeader:
    parsed = parse_header(header)
    if parsed.block_hash[::-1] != block_hash:
        raise UnavailableError(f"{url} answers with the header of another block than it was asked for")
    return parsed
