"""Archives that an older wherefrom made, as they lay on disk."""

import tarfile
from pathlib import Path

import pytest

from wherefrom.archive import Archive

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
