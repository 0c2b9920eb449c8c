import os
import resource
import subprocess
import sys
import tempfile

import numpy as np
import pytest

from wherefrom.errors import UnavailableError
from wherefrom.fingerprints import spill
from wherefrom.fingerprints.spill import SpillFile

HASHES = np.random.default_rng(3).integers(0, 256, (1_000, 32), dtype=np.uint8)


def test_what_was_written_is_read_back(tmp_path):
    with SpillFile(tmp_path) as file:
        assert file.append(HASHES[:600]) == 0
        assert file.append(HASHES[:0]) == 600
        assert file.append(HASHES[600:]) == 600
        assert file.count == 1_000
        assert np.array_equal(file.read(590, 20), HASHES[590:610])
        assert file.read(3, 0).shape == (0, 32)
        assert not list(tmp_path.iterdir())  # it has no name
        with pytest.raises(UnavailableError, match=r"can't read back what was put into .*ends too early"):
            file.read(990, 20)


def test_a_file_system_without_unnamed_files_has_one_that_is_removed_at_once(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    with SpillFile(tmp_path) as file:
        file.append(HASHES)
        assert not list(tmp_path.iterdir())
        assert np.array_equal(file.read(0, 1_000), HASHES)


def test_a_write_of_less_than_asked_is_continued(tmp_path, monkeypatch):
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, offset: write(file, data[:7_001], offset))
    with SpillFile(tmp_path) as file:
        file.append(HASHES)
        assert np.array_equal(file.read(0, 1_000), HASHES)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with (
        SpillFile(tmp_path / "gone") as file,
        pytest.raises(UnavailableError, match=r"can't write to '.*gone' for sort"),
    ):
        file.append(HASHES)


def test_the_usual_folder_is_the_default(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with SpillFile() as file, pytest.raises(UnavailableError, match="gone"):
        file.append(HASHES)


def run_without_room(program, folder):
    """In a process that may not write files of more than 100,000 bytes, which is refused as a full disk is."""
    limits = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, {resource.RLIM_INFINITY}))\n"
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", limits + program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


PROGRAM = """
import pyarrow as pa
from wherefrom.errors import UnavailableError
from wherefrom.fingerprints import fingerprint_records, leaves
leaves.RUN_LEAVES = 1_000
table = pa.concat_tables([pa.table({{"a": range(start, start + 1_000)}}) for start in range(0, 20_000, 1_000)])
try:
    fingerprint_records({source}, memory_bytes=0{arguments})
except UnavailableError as error:
    print(error, "|", error.hint)
"""


def test_no_room_for_the_sort_says_where_and_how_much_is_needed_and_leaves_nothing(tmp_path):
    said = run_without_room(PROGRAM.format(source="table", arguments=""), tmp_path)
    assert said.startswith(f"no room in '{tmp_path}' to sort leaf hashes: 640,000 bytes are needed, 96,000 could be")
    assert "TMPDIR" in said
    assert not list(tmp_path.iterdir())
    said = run_without_room(PROGRAM.format(source="table.to_reader()", arguments=""), tmp_path)
    assert "at least 128,000 bytes are needed" in said


def test_no_room_for_what_is_kept_leaves_nothing(tmp_path):
    kept = tmp_path / "kept"
    arguments = f", keep={str(kept)!r}"
    said = run_without_room(PROGRAM.format(source="table", arguments=arguments), tmp_path)
    assert said.startswith(f"no room in '{kept}' to sort")  # beside what is kept, where room was made for it
    said = run_without_room(
        PROGRAM.format(source="table", arguments=arguments).replace("memory_bytes=0", "memory_bytes=2**30"),
        tmp_path,
    )
    assert said.startswith(f"can't keep leaves in '{kept}': ")
    assert not list(kept.iterdir())


@pytest.mark.parametrize("code", ["ENOSPC", "EDQUOT"])
def test_a_full_disk_and_a_full_quota_are_the_same(tmp_path, monkeypatch, code):
    def refuse(*_):
        raise OSError(getattr(spill.errno, code), "refused")

    monkeypatch.setattr(os, "pwrite", refuse)
    with (
        SpillFile(tmp_path, expected_leaves=10_000) as file,
        pytest.raises(UnavailableError, match="320,000 bytes are"),
    ):
        file.append(HASHES)
