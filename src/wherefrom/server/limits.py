"""Bounds on one request's body: bytes as it comes and unpacked, and the time it may take to come."""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from wherefrom.server.errors import RequestError, too_large
from wherefrom.server.settings import MIB, Settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

_WINDOWS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
# Small bodies may become large without harm: JSON that repeats itself packs a thousandfold.
_FREE_BYTES: Final = MIB
# Of a body that is too large, so many times what is allowed is read before the sender is cut off.
_PATIENCE: Final = 4


class Unpacker:
    """A compressed body, unpacked piece by piece, never further than the limits allow."""

    def __init__(self, encoding: str, settings: Settings) -> None:
        """Raises RequestError (415) for an encoding that we don't know."""
        name = encoding.strip().lower()
        if name not in _WINDOWS:
            known = ", ".join(_WINDOWS)
            raise RequestError(
                415, f"Content-Encoding {name[:60]!r} is not known; known: {known}", Accept_Encoding=known
            )
        self._name, self._window, self._settings = name, _WINDOWS[name], settings
        self._stream: Any = zlib.decompressobj(self._window)
        self._packed = self._unpacked = 0
        self._is_begun = False

    def feed(self, data: bytes, *, is_last: bool) -> bytes:
        """What the next bytes of the body unpack to. Raises RequestError: 413 too large, 400 not of this encoding."""
        self._packed += len(data)
        parts: list[bytes] = []
        while data:
            if self._stream.eof:  # one gzip member may follow another
                self._stream, self._is_begun = zlib.decompressobj(self._window), False
            self._is_begun = True
            try:
                part = self._stream.decompress(data, MIB)
            except zlib.error as error:
                raise RequestError(400, f"the body is not {self._name}: {error}", Connection="close") from error
            self._unpacked += len(part)
            self._check()
            parts.append(part)
            data = self._stream.unconsumed_tail or self._stream.unused_data
        if is_last and self._is_begun and not self._stream.eof:
            raise RequestError(400, f"the body ends in the middle of its {self._name}")
        return b"".join(parts)

    def _check(self) -> None:
        most, ratio = self._settings.max_unpacked_bytes, self._settings.max_ratio
        if self._unpacked > most:
            raise too_large(f"the body has over {most} bytes when unpacked")
        if self._unpacked > _FREE_BYTES and self._unpacked > ratio * self._packed:
            raise too_large(f"the body becomes over {ratio} times larger when unpacked")


class BoundedBody:
    """`receive` of a request whose body keeps to the limits. What breaks one raises RequestError, kept in `refused`."""

    def __init__(self, receive: Receive, headers: dict[bytes, bytes], settings: Settings, start: float) -> None:
        """`start`, by the event loop's clock, is when the request's head was there."""
        self._receive, self._settings = receive, settings
        self._deadline = start + settings.body_deadline_s
        self._unpacker = None
        self._bytes = 0
        self._is_whole = False
        self.refused: RequestError | None = None
        encoding = headers.get(b"content-encoding", b"identity").decode("latin-1")
        try:
            if encoding.lower() not in {"", "identity"}:
                self._unpacker = Unpacker(encoding, settings)
            length = headers.get(b"content-length", b"0")
            if length.isdigit() and int(length[:20]) > settings.max_body_bytes:
                self._too_long()
        except RequestError as error:
            self.refused = error

    async def __call__(self) -> Message:
        if self._is_whole:
            return await self._receive()
        try:
            if self.refused:
                raise self.refused
            return await self._next()
        except RequestError as error:
            self.refused = error
            raise

    async def _next(self) -> Message:
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as error:
            seconds = self._settings.body_deadline_s
            raise RequestError(408, f"the body did not come within {seconds:g} s", Connection="close") from error
        if message["type"] != "http.request":
            return message
        body, self._is_whole = message.get("body", b""), not message.get("more_body", False)
        self._bytes += len(body)
        if self._bytes > self._settings.max_body_bytes:
            self._too_long()
        if self._unpacker:
            message["body"] = self._unpacker.feed(body, is_last=self._is_whole)
        return message

    async def drain(self) -> None:
        """Throw away what comes yet, for a while: who is cut off while he sends never reads why."""
        most = _PATIENCE * self._settings.max_body_bytes
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self._deadline):
                while not self._is_whole and self._bytes <= most:
                    message = await self._receive()
                    self._bytes += len(message.get("body", b""))
                    self._is_whole = not message.get("more_body", False)

    def _too_long(self) -> None:
        raise too_large(f"the body has over {self._settings.max_body_bytes} bytes")
