"""Running an ASGI application until it is told to stop: requests under way are finished first."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Final

from wherefrom.errors import UnavailableError

GRACE_S: Final = 10
"""How long requests under way may take to finish once the server was told to stop."""


def run(app: Any, *, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. `port` 0 takes a free one; `announce` gets the URL once connections are taken.

    Raises UnavailableError: the address is taken or not ours.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise UnavailableError("serving needs an extra: pip install 'wherefrom[server]'") from error
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        raise UnavailableError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    with listening:
        config = uvicorn.Config(
            app,
            ws="none",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
        shown = f"[{host}]" if ":" in host else host
        announce(f"http://{shown}:{listening.getsockname()[1]}")
        uvicorn.Server(config).run(sockets=[listening])
