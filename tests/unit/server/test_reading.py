"""Reading and signing what senders bring: in a thread or in processes, with the same outcome."""

import asyncio
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from child_processes import end_process
from lineage_events import body_of, run_event

from wherefrom.archive.taking import Taken
from wherefrom.cli.serving import MOST_READERS, _count_readers
from wherefrom.errors import FormatError, UnavailableError
from wherefrom.fingerprints import pool
from wherefrom.server import readers, reading
from wherefrom.server.errors import RequestError
from wherefrom.server.readers import Readers
from wherefrom.server.reading import Brought, Written
from wherefrom.server.settings import Settings
from wherefrom.signers import ask_with, encrypt_key
from wherefrom.statements import parse_envelope, parse_event_statement, parse_statement, verify_envelope

DEADLINE_S = 60


@pytest.fixture
def make_readers(archive):
    made = []

    def make(**settings):
        made.append(Readers(archive.folder, Settings(**settings)))
        return made[-1]

    yield make
    for service in made:
        for worker in service._workers if service._settings.readers else ():
            worker.process.send_signal(signal.SIGCONT)  # a test that failed may have left it standing
        service.close()


def one(event, strict=False):
    return Brought(body_of(event), False, strict)


def many(*items):
    return Brought(b"[" + b",".join(items) + b"]", True, False)


def read(readers, *brought):
    async def main():
        async with asyncio.timeout(DEADLINE_S):
            return await asyncio.gather(*(readers.read(one) for one in brought))

    return asyncio.run(main())


async def until(condition):
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.005)


def wait_until(condition):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("count", [0, 1])
def test_a_thread_and_a_process_give_the_same_signed_events(make_readers, archive, count):
    bodies = [body_of(run_event(number, namespace=f"n{number % 2}")) for number in range(6)]
    [single], batch = read(make_readers(readers=count), Brought(bodies[0], False, False), many(*bodies, b"7"))
    assert [one.namespaces for one in batch[:6]] == [["n0"], ["n1"]] * 3
    assert single == batch[0]
    key = archive.keys.read_key("producer").verifier_key
    for body, written in zip(bodies, batch, strict=False):
        expected, envelope = parse_event_statement(body), parse_envelope(written.signed.envelope)
        assert written.signed.reading == expected.checked
        assert parse_statement(envelope.payload).predicate_bytes == body
        assert verify_envelope(envelope, {key.label: key}) == [key.label]
    assert isinstance(batch[6], Taken)
    assert isinstance(batch[6].error, FormatError)
    assert all(archive.record_signed([written.signed])[0].is_new for written in batch[:6])


@pytest.mark.parametrize("count", [0, 1])
def test_what_is_wrong_is_said_of_each_request_alone(make_readers, count):
    readers = make_readers(readers=count, max_batch=2)
    item = body_of(run_event(1))

    async def main():
        async with asyncio.timeout(DEADLINE_S):
            brought = (many(item, item, item), Brought(b"{}", True, False), many(item), one({"eventTime": 7}, True))
            return await asyncio.gather(*(readers.read(each) for each in brought), return_exceptions=True)

    too_many, no_array, good, refused = asyncio.run(main())
    assert isinstance(too_many, RequestError)
    assert (too_many.status, too_many.headers) == (413, {"Connection": "close"})
    assert "over 2 events" in str(too_many)
    assert isinstance(no_array, FormatError)
    assert isinstance(good[0], Written)
    assert isinstance(refused[0], Taken)
    assert refused[0].problems


def test_events_of_a_job_share_what_they_say_in_the_process_that_records(make_readers):
    first, second = read(make_readers(readers=1), one(run_event(1)), one(run_event(2)))
    assert first[0].signed.reading.said is second[0].signed.reading.said
    assert first[0].signed.reading.run_id != second[0].signed.reading.run_id


def test_who_comes_while_all_are_busy_is_read_together_with_the_others(make_readers, monkeypatch):
    service, go, given = make_readers(), threading.Event(), []
    read_one, answer = reading.Reader.read, service.answer

    def wait(self, brought):
        assert go.wait(DEADLINE_S)
        return read_one(self, brought)

    def note(worker, work, answers):
        given.append(len(answers))
        answer(worker, work, answers)

    monkeypatch.setattr(reading.Reader, "read", wait)
    monkeypatch.setattr(service, "answer", note)

    async def main(count):
        given.clear()
        go.clear()
        reads = [asyncio.ensure_future(service.read(one(run_event(number)))) for number in range(count)]
        await until(lambda: len(service._waiting) == count - readers.MOST_UNDER_WAY)
        go.set()
        return await asyncio.gather(*reads)

    found = asyncio.run(main(20))
    assert [single[0].signed.reading.run_id for single in found] == [run_event(n)["run"]["runId"] for n in range(20)]
    assert given == [1, 1, 18]
    monkeypatch.setattr(readers, "MAX_TOGETHER_BYTES", 1)
    asyncio.run(main(5))
    assert given == [1] * 5


def test_a_process_that_was_killed_fails_those_it_read_for_and_another_takes_its_place(make_readers):
    service = make_readers(readers=1)
    read(service, one(run_event(1)))
    [worker] = service._workers

    async def main():
        worker.process.send_signal(signal.SIGSTOP)
        await until(lambda: state_of(worker.process.pid) == "T")
        waiting = [asyncio.ensure_future(service.read(one(run_event(number)))) for number in range(4)]
        await until(lambda: len(service._waiting) == 4 - readers.MOST_UNDER_WAY)
        worker.process.kill()
        async with asyncio.timeout(DEADLINE_S):
            return await asyncio.gather(*waiting, return_exceptions=True)

    found = asyncio.run(main())
    assert [type(answer) for answer in found] == [UnavailableError] * 2 + [list] * 2
    assert str(found[0]) == "the events could not be read"
    assert service._workers != [worker]


def test_one_that_is_killed_while_nobody_needs_it_is_replaced_too(make_readers):
    service = make_readers(readers=1)
    service.start()
    [worker] = service._workers
    worker.process.kill()
    wait_until(lambda: not service._workers)
    assert isinstance(read(service, one(run_event(1)))[0][0], Written)


def test_too_much_that_waits_to_be_read_is_sent_away_at_once(make_readers, monkeypatch):
    service, go = make_readers(max_waiting_bytes=1000), threading.Event()
    read_one = reading.Reader.read
    monkeypatch.setattr(reading.Reader, "read", lambda self, brought: go.wait(DEADLINE_S) and read_one(self, brought))

    async def main():
        busy = [asyncio.ensure_future(service.read(one(run_event(n)))) for n in range(readers.MOST_UNDER_WAY)]
        await until(lambda: service._workers and service._workers[0].under_way == readers.MOST_UNDER_WAY)
        large = asyncio.ensure_future(service.read(one(run_event(7, job="j" * 2000))))
        await until(lambda: service._waiting)
        with pytest.raises(RequestError, match="1 requests wait to be read already") as caught:
            await service.read(one(run_event(8)))
        assert (caught.value.status, caught.value.headers["Retry-After"]) == (503, "2")
        go.set()
        async with asyncio.timeout(DEADLINE_S):
            await asyncio.gather(*busy, large)
            return await service.read(one(run_event(8)))

    assert isinstance(asyncio.run(main())[0], Written)


def test_an_error_of_ours_fails_one_request_and_no_other(make_readers, monkeypatch):
    service, read_one = make_readers(), reading.Reader.read
    wrong = one(run_event(1))

    def fail(self, brought):
        if brought == wrong:
            raise RuntimeError("a bug")
        return read_one(self, brought)

    monkeypatch.setattr(reading.Reader, "read", fail)

    async def main():
        async with asyncio.timeout(DEADLINE_S):
            return await asyncio.gather(
                *(service.read(brought) for brought in (one(run_event(0)), wrong, one(run_event(2)))),
                return_exceptions=True,
            )

    first, failed, third = asyncio.run(main())
    assert isinstance(failed, UnavailableError)
    assert isinstance(first[0], Written)
    assert isinstance(third[0], Written)


def test_where_no_process_can_be_started_who_waits_is_told(make_readers, monkeypatch):
    service = make_readers(readers=1)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    service.start()
    with pytest.raises(UnavailableError, match="no process can be started: No such file"):
        read(service, one(run_event(1)))
    monkeypatch.undo()
    assert isinstance(read(service, one(run_event(1)))[0][0], Written)


def test_nothing_is_read_once_it_is_closed_and_what_was_taken_is_finished(make_readers):
    service = make_readers(readers=1)

    async def main():
        taken = [asyncio.ensure_future(service.read(one(run_event(number)))) for number in range(9)]
        await until(lambda: service._workers)
        await asyncio.to_thread(service.close)
        with pytest.raises(RequestError, match="stopping"):
            await service.read(one(run_event(9)))
        async with asyncio.timeout(DEADLINE_S):
            return await asyncio.gather(*taken)

    assert all(isinstance(written, Written) for [written] in asyncio.run(main()))


def test_signals_to_the_group_leave_it_to_the_server_to_end_them(make_readers):
    service = make_readers(readers=1)
    read(service, one(run_event(1)))
    [worker] = service._workers
    for number in (signal.SIGINT, signal.SIGTERM):
        worker.process.send_signal(number)
    assert isinstance(read(service, one(run_event(2)))[0][0], Written)
    assert service._workers == [worker]


def test_a_process_ends_when_the_server_was_killed(archive):
    program = f"""
        import asyncio, time
        from pathlib import Path
        from wherefrom.server.readers import Readers
        from wherefrom.server.reading import Brought
        from wherefrom.server.settings import Settings

        service = Readers(Path({str(archive.folder)!r}), Settings(readers=1))
        asyncio.run(service.read(Brought(b"{{}}", False, False)))
        print(service._workers[0].process.pid, flush=True)
        time.sleep(600)
    """
    server = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE)
    try:
        pid = int(server.stdout.readline())
        assert is_running(pid)
        server.kill()
        wait_until(lambda: not is_running(pid))
    finally:
        end_process(server)
        server.stdout.close()


def is_running(pid):
    try:
        return state_of(pid) != "Z"
    except FileNotFoundError:
        return False


def state_of(pid):
    """T: stopped; Z: ended. Source: proc(5)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_without_the_key_nothing_is_read_and_the_cause_is_said(make_readers, archive):
    readers = make_readers()
    key = archive.folder / "keys" / "producer"
    away = key.rename(key.with_name("away"))
    with pytest.raises(UnavailableError, match="No such file"):
        read(readers, one(run_event(1)))
    away.rename(key)
    assert isinstance(read(readers, one(run_event(1)))[0][0], Written)


def test_errors_cross_processes_as_they_are():
    sent = RequestError(413, "too much", hint="send less", Retry_After="2")
    got = pickle.loads(pickle.dumps(sent))
    assert (got.status, str(got), got.hint, got.headers) == (413, "too much", "send less", {"Retry-After": "2"})


def test_processes_read_by_default_where_they_can_sign_without_asking_anybody(archive, monkeypatch, tmp_path):
    monkeypatch.setattr(pool, "worker_count", lambda: 2)
    assert [_count_readers(archive, asked) for asked in (None, 0, 3)] == [1, 0, 3]
    monkeypatch.setattr(pool, "worker_count", lambda: 64)
    assert _count_readers(archive, None) == MOST_READERS
    encrypt_key(archive.folder / "keys" / "producer", "a long passphrase")
    said = tmp_path / "passphrase"
    said.write_text("a long passphrase\n")
    monkeypatch.setenv("WHEREFROM_PASSPHRASE_FILE", str(said))
    assert _count_readers(archive, 2) == 2
    monkeypatch.delenv("WHEREFROM_PASSPHRASE_FILE")
    ask_with(lambda what: "a long passphrase")
    try:
        assert [_count_readers(archive, asked) for asked in (None, 0)] == [0, 0]
        with pytest.raises(UnavailableError, match="2 processes can't all use the producer's key"):
            _count_readers(archive, 2)
    finally:
        ask_with(None)
