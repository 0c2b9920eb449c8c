"""A short run of what bench/faults.py does at length with PostgreSQL."""

import random

import pytest
from cutting import CuttingProxy
from database_faults import OUTAGES, behind, cut_connections, in_schema, kill_server, socket_of
from injection import Subject, assert_kept, kill_at_random, record_at_once
from workers import may_trace


@pytest.mark.skipif(not may_trace(), reason="needs strace, and the right to trace one's processes")
def test_a_server_killed_at_any_moment_loses_nothing_acknowledged(worker, server, tmp_path):
    subject = Subject(in_schema(server, tmp_path / "archive", "killed"))
    assert len(assert_kept(kill_server(worker, server, subject, random.Random(3), 2 * len(OUTAGES)))) == 2 * len(
        OUTAGES
    )


def test_a_process_killed_at_any_moment_loses_nothing_acknowledged(worker, server, tmp_path):
    subject = Subject(in_schema(server, tmp_path / "archive", "kills"))
    for tried in assert_kept(kill_at_random(worker, subject, random.Random(4), 8)):
        assert tried.told.killed_by


def test_what_a_cut_connection_left_in_doubt_is_recorded_once_by_the_next_try(worker, server, tmp_path):
    with CuttingProxy(socket_of(server)) as proxy:
        subject = behind(proxy, server, tmp_path / "archive", "cut")
        tried = assert_kept(cut_connections(worker, proxy, subject, most=6, batches=2))
    assert sum(bool(one.told.refused) for one in tried) > 3


def test_processes_that_record_at_once_all_succeed_in_one_tree(worker, other_worker, server, tmp_path):
    subject = Subject(in_schema(server, tmp_path / "archive", "once"))
    [tried] = assert_kept([record_at_once([worker, other_worker], subject, batches=20)])
    assert tried.told.refused == []
