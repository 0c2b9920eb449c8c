"""Group commit: callers that come while another one commits are committed together, by the next of them.

There is no thread of its own and no delay: who finds nobody at work goes at once, alone; the others gather meanwhile,
so a group is as large as a commit is slow. Each caller gets its own result or its own error.
"""

from __future__ import annotations

import copy
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from wherefrom.errors import UnavailableError

MAX_GROUP_STATEMENTS = 4096
MAX_GROUP_BYTES = 32 << 20

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(eq=False)
class _Ticket(Generic[Item, Result]):
    item: Item
    count: int
    size: int
    alone: bool
    result: Result | None = None
    error: BaseException | None = None
    is_done: bool = False
    called: threading.Event = field(default_factory=threading.Event)  # answered, or to go and serve a group


class GroupCommit(Generic[Item, Result]):
    """Safe for many threads, and in a forked child, which begins with nobody waiting."""

    def __init__(self, commit: Callable[[Sequence[Item]], Sequence[Result]]) -> None:
        """`commit` takes items in the order in which they came and gives a result for each, or raises and does nothing.

        When it raises for several, it is asked again for each alone, so that one wrong item fails by itself; it must
        bear being asked again for what it may have done already.
        """
        self._commit = commit
        self.start_anew()
        _groups.add(self)

    def start_anew(self) -> None:
        """Forget who waits: after a fork, nobody of them is in this process."""
        self._lock = threading.Lock()
        self._waiting: list[_Ticket[Item, Result]] = []
        self._leader: _Ticket[Item, Result] | None = None

    def submit(self, item: Item, *, count: int, size: int, alone: bool = False) -> Result:
        """Commit an item, together with those of others or `alone`. Raises what `commit` raises for it.

        Args:
            count, size: statements and bytes of the item, which bound a group.
        """
        ticket: _Ticket[Item, Result] = _Ticket(item, count, size, alone)
        try:
            with self._lock:
                self._waiting.append(ticket)
                if self._leader is None:
                    self._leader = ticket
            if self._leader is not ticket:
                ticket.called.wait()
            while not ticket.is_done:
                self._serve(self._next_group())
        finally:
            try:
                self._leave(ticket)
            except BaseException:  # interrupted in just this moment: the others must not wait for us
                self._leave(ticket)
                raise
        if ticket.error is not None:
            raise ticket.error
        return cast("Result", ticket.result)

    def _leave(self, ticket: _Ticket[Item, Result]) -> None:
        """Go, and let the next one serve: also those whom we were about to answer, when we were interrupted."""
        with self._lock:
            self._waiting = [other for other in self._waiting if other is not ticket and not other.is_done]
            if self._leader is ticket:
                self._leader = self._waiting[0] if self._waiting else None
                if self._leader:
                    self._leader.called.set()

    def _next_group(self) -> list[_Ticket[Item, Result]]:
        """Those at the front that go together, at least one."""
        with self._lock:
            group = self._waiting[:1]
            count, size = group[0].count, group[0].size
            for ticket in self._waiting[1:]:
                count, size = count + ticket.count, size + ticket.size
                if group[0].alone or ticket.alone or count > MAX_GROUP_STATEMENTS or size > MAX_GROUP_BYTES:
                    break
                group.append(ticket)
            return group

    def _serve(self, group: Sequence[_Ticket[Item, Result]]) -> None:
        try:
            results = self._commit([ticket.item for ticket in group])
        except UnavailableError as error:  # the database is: for each of them alike, and asking again would take long
            self._answer(group, errors=[copy.copy(error) if len(group) > 1 else error for _ in group])
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised again where it belongs
            if len(group) == 1:
                self._answer(group, errors=[error])
            else:
                for ticket in group:
                    self._serve([ticket])
        else:
            self._answer(group, results)

    def _answer(
        self,
        group: Sequence[_Ticket[Item, Result]],
        results: Sequence[Result] = (),
        *,
        errors: Sequence[Exception] = (),
    ) -> None:
        for ticket, answer in zip(group, errors or results, strict=True):
            if errors:
                ticket.error = cast("Exception", answer)
            else:
                ticket.result = cast("Result", answer)
            ticket.is_done = True
        with self._lock:
            self._waiting = [other for other in self._waiting if not other.is_done]
        for ticket in group:
            ticket.called.set()


_groups: weakref.WeakSet[GroupCommit[Any, Any]] = weakref.WeakSet()


def _start_anew() -> None:
    for group in list(_groups):
        group.start_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
