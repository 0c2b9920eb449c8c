"""Archives made by an older wherefrom, as they lay on disk; and in folders where something lies already."""

import tarfile
from pathlib import Path

import pytest

from wherefrom.archive import Archive
from wherefrom.archive.folder import ArchiveFolder
from wherefrom.errors import FormatError
from wherefrom.notes import SigningKey
from wherefrom.statements import make_gap_statement

OLDER = sorted((Path(__file__).parents[2] / "vectors" / "archives").glob("*.tar.gz"))


@pytest.fixture(params=OLDER, ids=lambda path: path.name.removesuffix(".tar.gz"))
def older(request, tmp_path):
    with tarfile.open(request.param) as packed:
        packed.extractall(tmp_path, filter="data")
    return tmp_path / ".wherefrom"


def test_an_older_archive_opens_with_the_views_of_today_made_from_its_ledger(older):
    archive = Archive.open(older)
    try:
        assert [wrong for _, wrong in archive.check() if wrong] == []
        found = archive.trace("model.joblib")
        assert [run.job_name for run in found.runs] == ["step1.py", "step0.py"]
        with archive.reading() as (_, views):
            assert [(row.job_name, row.run_id[-1]) for row in views.iter_runs(as_of=100)] == [
                ("step1.py", "2"),
                ("step0.py", "1"),
            ]
    finally:
        archive.close()


def test_it_takes_statements_again_and_the_tree_goes_on(older):
    archive = Archive.open(older)
    try:
        before, _ = archive.checkpoint()
        again = archive.read_recorded("1").statement
        assert not archive.record(again)[0].is_new
        assert archive.checkpoint()[0] == before
    finally:
        archive.close()


def test_a_project_that_a_server_recorded_keeps_its_key_when_it_gets_an_archive_of_its_own(tmp_path):
    key = SigningKey.generate("shop/producer/1234")
    files = ArchiveFolder(tmp_path / ".wherefrom")
    files.path.joinpath("keys").mkdir(parents=True, mode=0o700)
    files.write_key("producer", key)
    archive = Archive.init(tmp_path)
    try:
        archive.record(make_gap_statement("1", "x", "y", at="2026-11-21T08:00:00Z"))
        assert archive.read_recorded("1").entry.key_ids == (key.verifier_key.label,)
    finally:
        archive.close()


def test_the_key_stays_when_no_archive_can_be_made(tmp_path):
    files = ArchiveFolder(tmp_path / ".wherefrom")
    files.path.joinpath("keys").mkdir(parents=True, mode=0o700)
    files.write_key("producer", SigningKey.generate("shop/producer/1234"))
    with pytest.raises(FormatError):
        Archive.init(tmp_path, database_url="nonsense://")
    assert [path.name for path in files.path.joinpath("keys").iterdir()] == ["producer"]
