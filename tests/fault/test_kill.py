import multiprocessing
import os
import random
import signal
import time

import loops
import pytest

from wherefrom.archive import Archive
from wherefrom.notes import open_checkpoint

KILLS = 200
KILLS_PER_ARCHIVE = 20

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["wherefrom.archive", "events"])


def acknowledged_in(data: bytes) -> list[tuple[int, str]]:
    whole = data[: data.rfind(b"\n") + 1].decode().split("\n")[:-1]
    return [(int(index), statement_id) for index, statement_id in (line.split() for line in whole)]


def start(target, *arguments):
    """A process, and the end of the pipe on which it acknowledges."""
    reader, writer = processes.Pipe(duplex=False)
    process = processes.Process(target=_run, args=(target, writer, *arguments))
    process.start()
    writer.close()
    return process, reader.fileno(), reader


def _run(target, writer, *arguments):
    target(*arguments, writer.fileno())


def drain(descriptor: int) -> bytes:
    os.set_blocking(descriptor, False)
    data = b""
    while True:
        try:
            piece = os.read(descriptor, 65536)
        except BlockingIOError:
            return data
        if not piece:
            return data
        data += piece


def problems(archive):
    return [problem for _, found in archive.check() for problem in found]


@pytest.mark.slow
def test_a_process_killed_at_any_moment_loses_nothing_acknowledged_and_leaves_the_archive_whole(tmp_path):
    dice, done, in_flight = random.Random(20), 0, 0
    for group in range(KILLS // KILLS_PER_ARCHIVE):
        root = tmp_path / str(group)
        root.mkdir()
        archive = Archive.init(root, namespace="test")
        known: dict[int, str] = {}
        for number in range(KILLS_PER_ARCHIVE):
            process, descriptor, reader = start(loops.record_forever, str(archive.folder), f"{number}")
            os.set_blocking(descriptor, True)
            first = os.read(descriptor, 65536)  # it is at work
            time.sleep(dice.uniform(0, 0.03))
            os.kill(process.pid, signal.SIGKILL)
            process.join()
            known.update(acknowledged_in(first + drain(descriptor)))
            reader.close()
            assert problems(archive) == []
            there = {r.index: r.statement_id for r in archive.iter_recorded()}
            assert known.items() <= there.items()
            in_flight += len(there) - 1 - len(known)
            known.update({index: there[index] for index in there if index})
            done += 1
        archive.close()
    print(f"{done} kills, {in_flight} statements were durable and not yet acknowledged")
    assert done == KILLS


def test_two_processes_that_record_at_once_both_succeed_in_one_tree(archive):
    running = [start(loops.record_some, str(archive.folder), name, 40) for name in ("one", "two", "three")]
    receipts = []
    for process, descriptor, reader in running:
        process.join()
        assert process.exitcode == 0
        receipts += acknowledged_in(drain(descriptor))
        reader.close()
    assert sorted(index for index, _ in receipts) == list(range(1, 121))
    assert len({statement_id for _, statement_id in receipts}) == 120
    assert problems(archive) == []
    with archive._ledger_tables() as tables:
        sizes = [open_checkpoint(note, [archive.log_key]).size for _, note in tables.iter_checkpoints()]
    assert sizes == list(range(122)), "each size was signed once"
