import contextvars
import threading

import pyarrow as pa
import pytest

from wherefrom.fingerprints import pool, rows
from wherefrom.fingerprints.pool import OrderedWork, leaves_at_once, ordered_map


@pytest.fixture(params=[1, 3])
def workers(request, monkeypatch):
    monkeypatch.setattr(pool, "worker_count", lambda: request.param)
    return request.param


def test_results_come_in_the_order_of_the_items_and_few_items_are_taken_ahead(workers):
    taken = []

    def items():
        for number in range(50):
            taken.append(number)
            yield number

    for number, result in enumerate(ordered_map(lambda number: number * 2, items())):
        assert result == number * 2
        assert len(taken) <= number + 2 * workers
    assert len(taken) == 50


def test_an_error_comes_in_its_turn_and_ends_the_work(workers):
    def divide(number):
        return 6 // number

    results = ordered_map(divide, [3, 2, 1, 0, 5])
    assert [next(results) for _ in range(3)] == [2, 3, 6]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert list(results) == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("wherefrom-fingerprint")]


def test_threads_see_the_context_of_the_caller(workers):
    variable = contextvars.ContextVar("variable")
    variable.set("seen")
    assert list(ordered_map(lambda _: variable.get(), range(4))) == ["seen"] * 4


def test_what_has_not_begun_is_dropped_when_the_work_is_closed(monkeypatch):
    monkeypatch.setattr(pool, "worker_count", lambda: 1)
    begun, go_on = threading.Event(), threading.Event()
    done = []

    def work(number):
        begun.set()
        go_on.wait(10)
        done.append(number)

    with pytest.raises(KeyboardInterrupt), OrderedWork(work) as pushed:
        assert list(pushed.put(1)) == []
        begun.wait(10)
        pushed._pending.append(pushed._executor.submit(work, 2))
        threading.Timer(0.05, go_on.set).start()
        raise KeyboardInterrupt
    assert done == [1]


def test_leaves_at_once_keep_near_a_total_however_many_threads_there_are(monkeypatch):
    sizes = {}
    for count in (1, 2, 16, 256):
        monkeypatch.setattr(pool, "worker_count", lambda count=count: count)
        sizes[count] = leaves_at_once(2**28, most=2**18)
        assert sizes[count] % 256 == 0
    assert sizes[1] == sizes[2] == 2**18
    assert sizes[256] == 2**14
    assert 2 * 16 * 3 * 32 * sizes[16] <= 2**28
    assert leaves_at_once(2**28, most=512) == 512


def test_many_threads_take_smaller_chunks(monkeypatch):
    batch = pa.record_batch({"a": range(2**16), "b": ["text"] * 2**16, "c": [b"bytes"] * 2**16, "d": ["more"] * 2**16})
    monkeypatch.setattr(rows, "worker_count", lambda: 2)
    assert next(rows.iter_chunks(batch)).num_rows == 2**16
    monkeypatch.setattr(rows, "worker_count", lambda: 64)
    sizes = [chunk.num_rows for chunk in rows.iter_chunks(batch)]
    assert sum(sizes) == 2**16
    assert max(sizes) * 124 <= 2**28 // 128
