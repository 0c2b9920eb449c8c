import pytest
from full_disk import fill_disks, may_mount
from injection import assert_kept


@pytest.mark.skipif(not may_mount(), reason="needs root, to mount a small disk")
def test_a_full_disk_is_said_and_once_there_is_room_recording_goes_on(worker, tmp_path):
    for tried in assert_kept(fill_disks(worker, tmp_path, [0, 150])):
        assert tried.told.gave_up, "the disk was full"
        assert all(said.startswith("UnavailableError: ") for said in tried.told.refused)
