"""Running an ASGI application until it is told to stop: requests under way are finished, and the caller goes on."""

from __future__ import annotations

import contextlib
import gc
import importlib.util
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from wherefrom.errors import UnavailableError

if TYPE_CHECKING:
    import uvicorn

GRACE_S: Final = 10
"""How long requests under way may take to finish once the server was told to stop, unless somebody says otherwise."""


def run(
    app: Any,
    *,
    host: str,
    port: int,
    announce: Callable[[str], None],
    stopping: Callable[[], None] | None = None,
    **options: Any,
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        port: 0 takes a free one.
        announce: gets the URL once connections are taken.
        stopping: is called on the event loop when no more connections are taken, before those there are end.
        options: uvicorn's, in place of ours.

    Raises UnavailableError: the address is taken or not ours. KeyboardInterrupt: a second SIGINT cut it short.
    """
    require_extra()
    import uvicorn

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise UnavailableError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    with listening:
        ours = {"ws": "none", "log_level": "warning", "access_log": False, "server_header": False}
        config = uvicorn.Config(app, **{**ours, "timeout_graceful_shutdown": GRACE_S, **options})
        server = _telling(stopping)(config) if stopping else uvicorn.Server(config)
        shown = f"[{host}]" if ":" in host else host
        with _stopped_by_signals(server):
            announce(f"http://{shown}:{listening.getsockname()[1]}")
            server.run(sockets=[listening])
    if server.force_exit:
        raise KeyboardInterrupt


@contextlib.contextmanager
def _stopped_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """Have the signals stop this server and do nothing else.

    When it has finished, uvicorn raises them again for whoever heeded them before: by default they would end the
    process there and then, with what the caller has open.
    """
    if threading.current_thread() is not threading.main_thread():  # where none arrive
        yield
        return

    def stop(*_: object) -> None:
        server.should_exit = True

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def require_extra() -> None:
    """Raise UnavailableError unless what serving needs is installed."""
    missing = [name for name in ("uvicorn", "fastapi", "httptools") if importlib.util.find_spec(name) is None]
    if missing:
        what = ", ".join(missing)
        raise UnavailableError(f"serving needs an extra: pip install 'wherefrom[server]'; not installed: {what}")


def set_up_for_many() -> None:
    """Have Python's lock handed on soon, and its garbage collector keep calm.

    The thread that records waits for PostgreSQL many times a transaction, and after each for the lock.
    """
    sys.setswitchinterval(0.001)
    keep_collector_calm()


def keep_collector_calm() -> None:
    """Spare the garbage collector what stays for as long as the process lives, and let it look less often.

    With the defaults it takes half the time of taking events: each makes thousands of objects, none of them a cycle.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def _telling(stopping: Callable[[], None]) -> type[uvicorn.Server]:
    """A server that says when it begins to stop: uvicorn waits for answers that go on for ever, such as `/v1/live`."""
    import uvicorn

    class Telling(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            stopping()
            await super().shutdown(sockets)

    return Telling
