"""Processes killed at any moment, and several at once."""

import random

import pytest
from injection import Subject, assert_kept, in_folder, kill_at_random, record_at_once

from wherefrom.archive import Archive
from wherefrom.notes import open_checkpoint

KILLS = 40
KILLS_PER_ARCHIVE = 20


@pytest.mark.slow
def test_a_process_killed_at_any_moment_loses_nothing_acknowledged_and_leaves_the_archive_whole(worker, tmp_path):
    dice, done = random.Random(20), 0
    for group in range(KILLS // KILLS_PER_ARCHIVE):
        subject = Subject(in_folder(tmp_path / str(group)))
        for tried in assert_kept(kill_at_random(worker, subject, dice, KILLS_PER_ARCHIVE)):
            assert tried.told.killed_by
            done += 1
    print(f"{done} kills")
    assert done == KILLS


def test_processes_that_record_at_once_all_succeed_in_one_tree(worker, other_worker, tmp_path):
    archive = in_folder(tmp_path / "archive")
    [tried] = assert_kept([record_at_once([worker, other_worker], Subject(archive), batches=20)])
    assert tried.told.refused == []
    archive = Archive.open(archive.folder)
    assert archive.size() == 1 + 2 * 40 + 1
    with archive.reading() as (tables, _):
        signed = [open_checkpoint(note, [archive.log_key]).size for _, note in tables.iter_checkpoints()]
    archive.close()
    assert len(signed) == len(set(signed)), "each size was signed once"
