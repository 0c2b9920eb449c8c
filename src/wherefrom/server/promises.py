"""Answering who waits on an event loop, from threads that know nothing of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

What = TypeVar("What")


@dataclass(frozen=True, eq=False)
class Promise(Generic[What]):
    """Made on an event loop; whoever made it awaits `future`."""

    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[What]

    @classmethod
    def make(cls) -> Self:
        loop = asyncio.get_running_loop()
        return cls(loop, loop.create_future())


def keep(answers: Iterable[tuple[Promise[What], What | Exception]]) -> None:
    """Give each its result, or raise its error there; all who wait on a loop are told by one call to it."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[What], What | Exception]]] = {}
    for promise, answer in answers:
        by_loop.setdefault(promise.loop, []).append((promise.future, answer))
    for loop, pairs in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_answer, pairs)


def _answer(pairs: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, answer in pairs:
        if future.done():  # the client went away
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
