"""Asking the guard from the event loop: at once where it answers from memory, else in a thread.

The guard looks at the database every half second, and a login provider's tokens may need the network; either would hold
up everybody on the loop. A thread for each request would cost more than recording its event.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from wherefrom.archive.granting import RECHECK_S
from wherefrom.server.access.guard import Action, Guard, Principal

_IN_MEMORY: Final = "bearer wft_"
Result = TypeVar("Result")


class NotingGuard(Guard):
    """The guard, which notes on each request who sent it: for the log."""

    def principal_of(self, request: Request) -> Principal:
        request.state.principal = found = super().principal_of(request)
        return found


class Admission:
    """One for each application. It belongs to one event loop at a time."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._fresh_until = float("-inf")
        self._refreshing: asyncio.Task[None] | None = None

    async def principal_of(self, request: Request) -> Principal:
        """Who asks. Raises Unauthenticated."""
        given = request.headers.get("authorization", "")
        if given[: len(_IN_MEMORY)].lower() == _IN_MEMORY:
            return await self.ask(lambda: self._guard.principal_of(request))
        return await run_in_threadpool(self._guard.principal_of, request)

    async def require(self, principal: Principal, action: Action, namespaces: Sequence[str]) -> None:
        """Raise Denied unless they may do this in each namespace."""

        def require_all() -> None:
            for namespace in namespaces:
                self._guard.require(principal, action, namespace)

        await self.ask(require_all)

    async def ask(self, question: Callable[[], Result]) -> Result:
        """What a question to the guard gives; first the guard hears what is new, when it would ask for that itself."""
        while time.monotonic() > self._fresh_until:
            if self._refreshing is None or self._refreshing.done():
                self._refreshing = asyncio.ensure_future(self._refresh())
            await asyncio.shield(self._refreshing)
        return question()

    async def _refresh(self) -> None:
        asked = time.monotonic()
        await run_in_threadpool(self._guard.access.refresh)
        self._fresh_until = max(time.monotonic() + 0.05, asked + 0.8 * RECHECK_S)
