"""The live graph of an archive: one in a process, followed to the ledger's size before each answer."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from wherefrom.archive.archive import Archive
from wherefrom.errors import WherefromError
from wherefrom.lineage.graph import Follower, Graph, Renderer, Views
from wherefrom.notes import Checkpoint, parse_checkpoint
from wherefrom.store import LedgerTables, LineageTables
from wherefrom.store.graph_tables import GraphTables

FOLLOW_S: Final = 1.0
"""Between two looks at the ledger while nobody asks."""
AHEAD: Final = 1000
"""Pieces of text made at a time before anybody asks: few enough that who then asks hardly waits."""


@dataclass(frozen=True)
class Sight:
    """The graph, and the snapshot of the database that it is held against. Not to be used after the block ends.

    Attributes:
        renderer: makes text of what is drawn.
        size: the snapshot's: whatever was acknowledged before the question is below it.
        note: the newest signed checkpoint, of that size.
    """

    follower: Follower
    renderer: Renderer
    ledger: LedgerTables
    lineage: LineageTables
    tables: GraphTables
    size: int
    checkpoint: Checkpoint
    note: bytes

    @property
    def graph(self) -> Graph:
        return self.follower.graph

    def views(self) -> Views:
        return self.graph.views()


class LiveGraph:
    """Safe for many threads: they take turns."""

    def __init__(self, archive: Archive) -> None:
        """Use `live_graph`."""
        self._archive = weakref.ref(archive)
        self._lock = threading.Lock()
        self._follower = Follower()
        self._renderer = Renderer(self._follower.graph)
        self._head: tuple[bytes, Checkpoint] | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def asking(self) -> Iterator[Sight]:
        """Look at the graph as it is with everything that is recorded by now."""
        archive = self._archive()
        assert archive is not None  # noqa: S101 - whoever asks has it
        # In this order: who waits holds no connection, and sees all that was recorded while he waited.
        with self._lock, archive.reading() as (ledger, lineage):
            note = ledger.read_checkpoint()
            if self._head is None or self._head[0] != note:
                self._head = (note, parse_checkpoint(note.partition(b"\n\n")[0].decode() + "\n"))
            checkpoint = self._head[1]
            tables = GraphTables(ledger.connection, is_long=checkpoint.size - self._follower.graph.size > 20_000)
            self._follower.catch_up(tables, checkpoint.size)
            if self._renderer.graph is not self._follower.graph:
                self._renderer = Renderer(self._follower.graph)
            shapes = self._follower.graph.shapes
            shapes.read_bodies = tables.read_bodies
            try:
                yield Sight(self._follower, self._renderer, ledger, lineage, tables, checkpoint.size, checkpoint, note)
            finally:
                shapes.read_bodies = None

    @property
    def size(self) -> int:
        """The entries that it has followed."""
        return self._follower.graph.size

    def keep_up(self) -> None:
        """Follow the ledger from now on in a thread of its own, so that no question finds much that is not done yet."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._keep_up, name="live graph", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop that thread."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def _keep_up(self) -> None:
        while self._archive() is not None:
            with contextlib.suppress(WherefromError):  # who asks then is told; here there is nobody to tell
                self.follow()
                while not self._stopping.is_set() and self._prepare():
                    pass
            if self._stopping.wait(FOLLOW_S):
                return

    def _prepare(self) -> bool:
        """Make some text that answers will need; whether there is more to make, and nobody has the graph meanwhile."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            return self._renderer.prepare(AHEAD)
        finally:
            self._lock.release()

    def follow(self) -> int:
        """Catch up, so that the next question needn't; gives the size."""
        with self.asking() as sight:
            return sight.size


_graphs: weakref.WeakKeyDictionary[Archive, LiveGraph] = weakref.WeakKeyDictionary()
_making = threading.Lock()


def live_graph(archive: Archive) -> LiveGraph:
    """The graph of this archive in this process: one, however often it is asked for."""
    with _making:
        graph = _graphs.get(archive)
        if graph is None:
            graph = _graphs[archive] = LiveGraph(archive)
        return graph
