"""The queue before the ledger: bounded, in order, and nothing that was accepted is lost."""

import asyncio
import threading

import pytest
from lineage_events import body_of, run_event

from wherefrom.archive.taking import take_events
from wherefrom.errors import UnavailableError
from wherefrom.server import intake_queue
from wherefrom.server.errors import RequestError
from wherefrom.server.health import Metrics
from wherefrom.server.intake_queue import IntakeQueue
from wherefrom.server.settings import Settings

DEADLINE_S = 60


@pytest.fixture
def make_queue(archive):
    made = []

    def make(**settings):
        made.append(IntakeQueue(archive, settings=Settings(**settings), metrics=Metrics()))
        return made[-1]

    yield make
    for queue in made:
        queue.close()


class Held:
    """`take_events` that waits until it is let go, and notes how much it got at once."""

    def __init__(self, monkeypatch):
        self.go, self.entered, self.groups = threading.Event(), threading.Event(), []
        monkeypatch.setattr(intake_queue, "take_events", self)

    def __call__(self, archive, bodies, *, strict=False):
        self.groups.append((len(bodies), strict))
        self.entered.set()
        assert self.go.wait(DEADLINE_S)
        return take_events(archive, bodies, strict=strict)


async def until(condition):
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.005)


def test_what_comes_while_one_records_is_recorded_together(make_queue, monkeypatch, archive):
    held, queue, size = Held(monkeypatch), make_queue(), archive.size()

    async def main():
        first = asyncio.ensure_future(queue.put([body_of(run_event(0))], strict=False))
        await until(held.entered.is_set)
        others = [asyncio.ensure_future(queue.put([body_of(run_event(i))], strict=False)) for i in range(1, 6)]
        strict = asyncio.ensure_future(queue.put([body_of(run_event(9))], strict=True))
        await until(lambda: queue.waiting == 7)
        held.go.set()
        return [taken.receipt.index for [taken] in await asyncio.gather(first, *others, strict)]

    assert asyncio.run(main()) == list(range(size, size + 7))
    assert held.groups == [(1, False), (5, False), (1, True)]
    assert queue.waiting == 0


def test_a_full_queue_says_so_at_once_and_takes_again_later(make_queue, monkeypatch):
    held, queue = Held(monkeypatch), make_queue(max_waiting_events=3)

    async def main():
        first = asyncio.ensure_future(queue.put([body_of(run_event(i)) for i in range(5)], strict=False))
        await until(held.entered.is_set)
        with pytest.raises(RequestError) as caught:
            await queue.put([body_of(run_event(6))], strict=False)
        assert (caught.value.status, caught.value.headers["Retry-After"]) == (503, "2")
        held.go.set()
        assert all(taken.receipt for taken in await first)
        assert (await queue.put([body_of(run_event(6))], strict=False))[0].receipt.is_new

    asyncio.run(main())


def test_bytes_are_bounded_too(make_queue, monkeypatch):
    held, queue = Held(monkeypatch), make_queue(max_waiting_bytes=1000)

    async def main():
        first = asyncio.ensure_future(queue.put([body_of(run_event(0, job="j" * 900))], strict=False))
        await until(held.entered.is_set)
        with pytest.raises(RequestError):
            await queue.put([body_of(run_event(1))], strict=False)
        held.go.set()
        await first

    asyncio.run(main())


def test_closing_finishes_what_was_accepted_and_takes_nothing_more(make_queue, monkeypatch, archive):
    held, queue, size = Held(monkeypatch), make_queue(), archive.size()

    async def main():
        puts = [asyncio.ensure_future(queue.put([body_of(run_event(i))], strict=False)) for i in range(10)]
        await until(held.entered.is_set)
        closing = asyncio.ensure_future(asyncio.to_thread(queue.close))
        await until(lambda: queue._is_closed)
        with pytest.raises(RequestError, match="stopping"):
            await queue.put([body_of(run_event(11))], strict=False)
        held.go.set()
        await closing
        assert all(taken.receipt for [taken] in await asyncio.gather(*puts))

    asyncio.run(main())
    assert archive.size() == size + 10


def test_a_client_that_went_away_loses_its_answer_and_no_event(make_queue, monkeypatch, archive):
    held, queue, size = Held(monkeypatch), make_queue(), archive.size()

    async def main():
        put = asyncio.ensure_future(queue.put([body_of(run_event(0))], strict=False))
        await until(held.entered.is_set)
        put.cancel()
        held.go.set()
        await until(lambda: queue.waiting == 0)

    asyncio.run(main())
    assert archive.size() == size + 1


@pytest.mark.parametrize("error", [UnavailableError("away"), RuntimeError("unforeseen")])
def test_when_nothing_can_be_recorded_each_is_told_and_the_queue_goes_on(make_queue, monkeypatch, error):
    queue, real = make_queue(), intake_queue.take_events

    def fail(*_, **__):
        raise error

    async def main():
        monkeypatch.setattr(intake_queue, "take_events", fail)
        puts = [queue.put([body_of(run_event(i))], strict=False) for i in range(3)]
        for outcome in await asyncio.gather(*puts, return_exceptions=True):
            assert isinstance(outcome, UnavailableError)
        monkeypatch.setattr(intake_queue, "take_events", real)
        assert (await queue.put([body_of(run_event(0))], strict=False))[0].receipt.is_new

    asyncio.run(main())
