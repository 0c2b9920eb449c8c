"""A way to a server that breaks: a proxy on loopback that cuts the connection after so many bytes."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no seconds: closing sends a reset, as a dead link's other end does


@dataclass
class Cut:
    """When to cut: the first byte not let through, counted over all connections, in one direction."""

    direction: Literal["to server", "to client"]
    after: int


class CuttingProxy:
    """Passes connections on to a server's Unix socket; cuts the one that reaches the mark, once, and then no more."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._cut: Cut | None = None
        self._passed = {"to server": 0, "to client": 0}
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        self._close(*list(self._open))
        for thread in self._threads:
            thread.join()

    def arm(self, cut: Cut | None) -> None:
        """Cut at this mark, counting from now."""
        with self._lock:
            self._cut, self._passed = cut, {"to server": 0, "to client": 0}

    @property
    def is_armed(self) -> bool:
        """Whether the mark has not been reached yet."""
        return self._cut is not None

    def passed(self, direction: str) -> int:
        """Bytes let through since `arm`."""
        return self._passed[direction]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(str(self._server))
            except OSError:
                client.close()
                server.close()
                continue
            self._open |= {client, server}
            for source, sink, direction in ((client, server, "to server"), (server, client, "to client")):
                thread = threading.Thread(target=self._pass_on, args=(source, sink, direction))
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, direction: str) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                with self._lock:
                    cut, left = self._cut, None
                    if cut and cut.direction == direction:
                        left = cut.after - self._passed[direction]
                        if left < len(data):
                            self._cut = None
                        else:
                            left = None
                    self._passed[direction] += len(data)
                if left is not None:
                    sink.sendall(data[:left])
                    break
                sink.sendall(data)
        self._close(source, sink)

    def _close(self, *ends: socket.socket) -> None:
        for end in ends:
            with contextlib.suppress(OSError):
                if end.family == socket.AF_INET:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                end.shutdown(socket.SHUT_RDWR)
            end.close()
            self._open.discard(end)
