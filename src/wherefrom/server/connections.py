"""One HTTP connection: uvicorn's protocol, with a deadline for the head of each request.

Without it, who sends a byte now and then holds a connection for as long as he likes (slow loris).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from wherefrom.server.settings import Settings

# A head that goes on for longer than this many times what the gate allows is not even parsed to its end.
_SLACK = 2


def make_protocol(settings: Settings) -> type[asyncio.Protocol]:
    """The protocol class for these settings."""

    class BoundedHeads(HttpToolsProtocol):
        _waiting: asyncio.TimerHandle | None = None
        _head_bytes = 0

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._expect_head()

        def data_received(self, data: bytes) -> None:
            cycle: Any = self.cycle  # None until the first request
            if self._waiting is None and (cycle is None or cycle.response_complete):
                self._expect_head()  # the next request of a connection that lay idle
            if self._waiting is not None:
                self._head_bytes += len(data)
                if self._head_bytes > _SLACK * (settings.max_header_bytes + settings.max_url_bytes) + len(data):
                    self._give_up()
                    return
            super().data_received(data)

        def on_headers_complete(self) -> None:
            self._stop_waiting()
            super().on_headers_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _expect_head(self) -> None:
            self._head_bytes = 0
            self._waiting = self.loop.call_later(settings.header_deadline_s, self._give_up)

        def _stop_waiting(self) -> None:
            if self._waiting is not None:
                self._waiting.cancel()
                self._waiting = None

        def _give_up(self) -> None:
            self._stop_waiting()
            if not self.transport.is_closing():
                self.transport.close()

    return BoundedHeads


def protocol_options(settings: Settings) -> dict[str, Any]:
    """What `running.run` hands on to uvicorn."""
    return {
        "http": make_protocol(settings),
        "log_config": None,
        "timeout_keep_alive": settings.keep_alive_s,
        "timeout_graceful_shutdown": settings.grace_s,
    }
