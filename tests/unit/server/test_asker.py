"""The thread that answers: from one snapshot for all who wait, and whatever befalls one, the others are answered."""

import asyncio
import threading

import pytest
from events import event
from starlette.responses import Response

from wherefrom.archive.live import LiveGraph
from wherefrom.errors import NotFoundError, UnavailableError
from wherefrom.server.asker import Asker
from wherefrom.server.errors import RequestError

DEADLINE_S = 60


@pytest.fixture
def asker(archive):
    made = Asker(LiveGraph(archive))
    yield made
    made.close()


def tell_size(sight):
    return Response(str(sight.size))


async def ask_together(asker, *answers):
    """Ask while another question is being answered, so that all of these wait; what became of each."""
    entered, go = threading.Event(), threading.Event()

    def hold(sight):
        entered.set()
        assert go.wait(DEADLINE_S)
        return Response(b"")

    first = asyncio.ensure_future(asker.ask(hold))
    assert await asyncio.to_thread(entered.wait, DEADLINE_S)
    asked = [asyncio.ensure_future(asker.ask(answer)) for answer in answers]
    await asyncio.sleep(0)  # each is in the queue
    go.set()
    await first
    return await asyncio.gather(*asked, return_exceptions=True)


def test_who_waits_together_sees_one_snapshot_with_all_that_was_recorded_before(asker, archive):
    sights = []

    def record_and_tell(sight):
        sights.append(sight)
        archive.record(event("a run"))
        return Response(str(sight.size))

    size = archive.size()
    answers = asyncio.run(ask_together(asker, record_and_tell, tell_size))
    assert [int(answer.body) for answer in answers] == [size, size]
    assert int(asyncio.run(asker.ask(tell_size)).body) == size + 1


def test_what_one_asks_wrongly_is_his_alone(asker, archive):
    def refuse(sight):
        raise NotFoundError("no such node")

    wrong, right = asyncio.run(ask_together(asker, refuse, tell_size))
    assert isinstance(wrong, NotFoundError)
    assert int(right.body) == archive.size()


def test_a_failure_of_one_leaves_the_others_a_new_snapshot(asker, archive, monkeypatch):
    begun, asking = [], asker._live.asking

    def count():
        begun.append(1)
        return asking()

    def fail(sight):
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(asker._live, "asking", count)
    wrong, right = asyncio.run(ask_together(asker, fail, tell_size))
    assert isinstance(wrong, ZeroDivisionError)
    assert int(right.body) == archive.size()
    assert len(begun) == 3


def test_everybody_is_told_when_there_is_no_snapshot_and_the_next_is_answered(asker, archive, monkeypatch):
    with monkeypatch.context() as patched:

        def fail():
            raise UnavailableError("the database is away")

        assert asyncio.run(ask_together(asker, tell_size))
        patched.setattr(asker._live, "asking", fail)
        with pytest.raises(UnavailableError, match="away"):
            asyncio.run(asker.ask(tell_size))
    assert int(asyncio.run(asker.ask(tell_size)).body) == archive.size()


def test_who_asked_before_the_end_is_answered_and_who_comes_later_is_sent_away(asker):
    async def main():
        asked = asyncio.ensure_future(asker.ask(tell_size))
        await asyncio.sleep(0)
        await asyncio.to_thread(asker.close)
        assert (await asked).body
        with pytest.raises(RequestError, match="stopping") as refused:
            await asker.ask(tell_size)
        assert refused.value.status == 503

    asyncio.run(main())
