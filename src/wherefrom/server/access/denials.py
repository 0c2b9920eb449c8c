"""Denials on the record, each of them counted, without letting those who knock fill the ledger.

The first of a kind (who, what, where, on which route) is recorded at once, by a thread of its own; those that follow
are counted, and recorded once a minute with their count. Who tries many namespaces gets one statement for all beyond
`MAX_NAMESPACES`, with the namespace null.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from wherefrom.archive import Archive
from wherefrom.archive.granting import record_denials
from wherefrom.errors import WherefromError
from wherefrom.statements import format_time

PERIOD_S: Final = 60.0
MAX_NAMESPACES: Final = 16
"""For each principal, action and route, in one period."""
MAX_CHARACTERS: Final = 256
_log = logging.getLogger(__name__)

_Kind = tuple[str | None, str, str | None, str]  # principal, action, namespace, route


@dataclass
class _Counted:
    count: int
    first: datetime
    last: datetime


class Denials:
    """Counts denials and records them. Safe for many threads; `close` records what is left."""

    def __init__(self, archive: Archive, *, period_s: float = PERIOD_S) -> None:
        self._archive = archive
        self._period_s = period_s
        self._waiting: dict[_Kind, _Counted] = {}
        self._due: set[_Kind] = set()  # of those waiting, which are to be recorded at once
        self._known: dict[tuple[str | None, str, str], set[str | None]] = {}  # the namespaces that came lately
        self._period_ends = float("-inf")
        self._is_closed = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def count(self, principal: str | None, action: str, namespace: str | None, route: str) -> None:
        """One more denial; `principal` is None when nobody knows who asked. Returns at once."""
        at = datetime.now(UTC)
        if namespace is not None:
            namespace = _plain(namespace)
        with self._changed:
            if self._is_closed:
                return
            if time.monotonic() >= self._period_ends and not self._waiting:
                self._begin_period(())
            known = self._known.setdefault((principal, action, route), set())
            if namespace not in known and len(known) >= MAX_NAMESPACES:
                namespace = None
            kind = (principal, action, namespace, route)
            counted = self._waiting.setdefault(kind, _Counted(0, at, at))
            counted.count, counted.last = counted.count + 1, at
            if namespace not in known:
                known.add(namespace)
                self._due.add(kind)
                self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="wherefrom-denials", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Record what was counted, and count no more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _begin_period(self, still_coming: Iterable[_Kind]) -> None:
        """Kinds that came in the period that ends are no news in the next one."""
        self._period_ends = time.monotonic() + self._period_s
        self._known.clear()
        for principal, action, namespace, route in still_coming:
            self._known.setdefault((principal, action, route), set()).add(namespace)

    def _work(self) -> None:
        is_closed = False
        while not is_closed:
            with self._changed:
                if not (self._due or self._is_closed):
                    # Also when nothing waits, so that no call is needed to wake it for what comes next.
                    self._changed.wait(max(0.0, self._period_ends - time.monotonic()) or self._period_s)
                is_closed = self._is_closed
                if is_closed or time.monotonic() >= self._period_ends:
                    taken, self._waiting = self._waiting, {}
                    if taken:
                        self._begin_period(taken)
                else:
                    taken = {kind: self._waiting.pop(kind) for kind in self._due}
                self._due.clear()
            if taken:
                self._record(taken)

    def _record(self, taken: dict[_Kind, _Counted]) -> None:
        try:
            record_denials(self._archive, [_predicate(kind, counted) for kind, counted in taken.items()])
        except WherefromError as error:
            _log.warning("%d kinds of denial could not be recorded yet: %s", len(taken), error)
            with self._changed:  # they wait for the next time
                for kind, counted in taken.items():
                    now = self._waiting.setdefault(kind, _Counted(0, counted.first, counted.last))
                    now.count, now.first = now.count + counted.count, counted.first


def _predicate(kind: _Kind, counted: _Counted) -> dict[str, Any]:
    principal, action, namespace, route = kind
    return {
        "principal": principal,
        "action": action,
        "namespace": namespace,
        "route": route or "/",
        "count": counted.count,
        "from": format_time(counted.first),
        "to": format_time(counted.last),
    }


def _plain(text: str) -> str:
    """At most so many characters, and none that a ledger can't keep."""
    shown = text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}…"
    return shown.replace("\0", "�").encode("utf-8", "replace").decode()
