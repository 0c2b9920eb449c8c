"""Reading and signing what senders bring: in a thread or in processes, with the same outcome."""

import asyncio
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from child_processes import end_process
from lineage_events import body_of, run_event

from wherefrom.archive.taking import Taken
from wherefrom.cli.serving import MOST_READERS, _count_readers
from wherefrom.errors import FormatError, UnavailableError
from wherefrom.fingerprints import pool
from wherefrom.server import reading
from wherefrom.server.errors import RequestError
from wherefrom.server.reading import Brought, Readers, Written
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
    for readers in made:
        readers.close()


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
    readers, given = make_readers(), []

    def note(some):
        given.append(len(some))
        time.sleep(0.2)
        return read_all(some)

    read_all = reading._read_all
    monkeypatch.setattr(reading, "_read_all", note)
    found = read(readers, *(one(run_event(number)) for number in range(20)))
    assert [single[0].signed.reading.run_id for single in found] == [run_event(n)["run"]["runId"] for n in range(20)]
    assert sum(given) == 20
    assert len(given) < 10
    given.clear()
    monkeypatch.setattr(reading, "MAX_TOGETHER_BYTES", 1)
    read(readers, *(one(run_event(number)) for number in range(4)))
    assert given == [1, 1, 1, 1]


def test_a_process_that_was_killed_fails_those_it_read_for_and_another_takes_its_place(make_readers):
    readers = make_readers(readers=1)
    read(readers, one(run_event(1)))
    [pid] = readers._pool._processes

    async def main():
        os.kill(pid, signal.SIGSTOP)
        waiting = asyncio.ensure_future(readers.read(one(run_event(2))))
        await until(lambda: readers._under_way)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(UnavailableError, match="could not be read"):
            await waiting
        async with asyncio.timeout(DEADLINE_S):
            return await readers.read(one(run_event(2)))

    [written] = asyncio.run(main())
    assert isinstance(written, Written)
    assert list(readers._pool._processes) != [pid]


def test_signals_to_the_group_leave_it_to_the_server_to_end_them(make_readers):
    readers = make_readers(readers=1)
    read(readers, one(run_event(1)))
    [pid] = readers._pool._processes
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(pid, number)
    assert isinstance(read(readers, one(run_event(2)))[0][0], Written)
    assert list(readers._pool._processes) == [pid]


def test_a_process_ends_when_the_server_was_killed(archive):
    program = f"""
        import asyncio, time
        from pathlib import Path
        from wherefrom.server.reading import Brought, Readers
        from wherefrom.server.settings import Settings

        if __name__ == "__main__":
            readers = Readers(Path({str(archive.folder)!r}), Settings(readers=1))
            asyncio.run(readers.read(Brought(b"{{}}", False, False)))
            print(*readers._pool._processes, flush=True)
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
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


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
