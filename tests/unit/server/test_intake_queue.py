"""The queue before the ledger: bounded, in order, and nothing that was accepted is lost."""

import asyncio
import threading

import pytest
from lineage_events import body_of, run_event

from wherefrom.archive.taking import read_one, record_read, sign_read
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
    """`record_read` that waits until it is let go, and notes how much it got at once."""

    def __init__(self, monkeypatch):
        self.go, self.entered, self.groups = threading.Event(), threading.Event(), []
        monkeypatch.setattr(intake_queue, "record_read", self)

    def __call__(self, archive, read):
        self.groups.append(len(read))
        self.entered.set()
        assert self.go.wait(DEADLINE_S)
        return record_read(archive, read)


@pytest.fixture
def event(archive):
    def make(made):
        [signed] = sign_read([read_one(body_of(made), strict=False)], archive.keys)
        return signed

    return make


async def until(condition):
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.005)


def test_what_comes_while_one_records_is_recorded_together(make_queue, monkeypatch, archive, event):
    held, queue, size = Held(monkeypatch), make_queue(), archive.size()

    async def main():
        first = asyncio.ensure_future(queue.put([event(run_event(0))]))
        await until(held.entered.is_set)
        others = [asyncio.ensure_future(queue.put([event(run_event(i))])) for i in range(1, 6)]
        await until(lambda: queue.waiting == 6)
        held.go.set()
        return [taken.receipt.index for [taken] in await asyncio.gather(first, *others)]

    assert asyncio.run(main()) == list(range(size, size + 6))
    assert held.groups == [1, 5]
    assert queue.waiting == 0


def test_a_full_queue_says_so_at_once_and_takes_again_later(make_queue, monkeypatch, event):
    held, queue = Held(monkeypatch), make_queue(max_waiting_events=3)

    async def main():
        first = asyncio.ensure_future(queue.put([event(run_event(i)) for i in range(5)]))
        await until(held.entered.is_set)
        with pytest.raises(RequestError) as caught:
            await queue.put([event(run_event(6))])
        assert (caught.value.status, caught.value.headers["Retry-After"]) == (503, "2")
        held.go.set()
        assert all(taken.receipt for taken in await first)
        assert (await queue.put([event(run_event(6))]))[0].receipt.is_new

    asyncio.run(main())


def test_bytes_are_bounded_too(make_queue, monkeypatch, event):
    held, queue = Held(monkeypatch), make_queue(max_waiting_bytes=1000)

    async def main():
        first = asyncio.ensure_future(queue.put([event(run_event(0, job="j" * 900))]))
        await until(held.entered.is_set)
        with pytest.raises(RequestError):
            await queue.put([event(run_event(1))])
        held.go.set()
        await first

    asyncio.run(main())


def test_closing_finishes_what_was_accepted_and_takes_nothing_more(make_queue, monkeypatch, archive, event):
    held, queue, size = Held(monkeypatch), make_queue(), archive.size()

    async def main():
        puts = [asyncio.ensure_future(queue.put([event(run_event(i))])) for i in range(10)]
        await until(held.entered.is_set)
        closing = asyncio.ensure_future(asyncio.to_thread(queue.close))
        await until(lambda: queue._is_closed)
        with pytest.raises(RequestError, match="stopping"):
            await queue.put([event(run_event(11))])
        held.go.set()
        await closing
        assert all(taken.receipt for [taken] in await asyncio.gather(*puts))

    asyncio.run(main())
    assert archive.size() == size + 10


def test_a_client_that_went_away_loses_its_answer_and_no_event(make_queue, monkeypatch, archive, event):
    held, queue, size = Held(monkeypatch), make_queue(), archive.size()

    async def main():
        put = asyncio.ensure_future(queue.put([event(run_event(0))]))
        await until(held.entered.is_set)
        put.cancel()
        held.go.set()
        await until(lambda: queue.waiting == 0)

    asyncio.run(main())
    assert archive.size() == size + 1


@pytest.mark.parametrize("error", [UnavailableError("away"), RuntimeError("unforeseen")])
def test_when_nothing_can_be_recorded_each_is_told_and_the_queue_goes_on(make_queue, monkeypatch, error, event):
    queue, real = make_queue(), intake_queue.record_read

    def fail(*_, **__):
        raise error

    async def main():
        monkeypatch.setattr(intake_queue, "record_read", fail)
        puts = [queue.put([event(run_event(i))]) for i in range(3)]
        for outcome in await asyncio.gather(*puts, return_exceptions=True):
            assert isinstance(outcome, UnavailableError)
        monkeypatch.setattr(intake_queue, "record_read", real)
        assert (await queue.put([event(run_event(0))]))[0].receipt.is_new

    asyncio.run(main())
