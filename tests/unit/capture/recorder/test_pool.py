import threading

import pytest

from wherefrom.capture.recorder.pool import Pool


def test_jobs_are_done_in_order_but_for_one_that_is_waited_for():
    pool, done, gate = Pool(1), [], threading.Event()
    first = pool.submit(lambda: gate.wait(10))
    futures = [pool.submit(lambda n=n: done.append(n)) for n in range(4)]
    pool.hurry(futures[2])
    pool.hurry(first)  # under way: nothing to hurry
    gate.set()
    for future in futures:
        future.result(10)
    assert done == [2, 0, 1, 3]


def test_what_a_job_raises_is_for_who_asks_and_the_next_job_is_done():
    pool = Pool(1)

    def fail():
        raise KeyError("x")

    failing, fine = pool.submit(fail), pool.submit(lambda: 7)
    with pytest.raises(KeyError):
        failing.result(10)
    assert fine.result(10) == 7
