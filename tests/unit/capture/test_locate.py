import pytest

from wherefrom.capture.locate import choose_root, find_root


@pytest.fixture
def project(tmp_path):
    folder = tmp_path.resolve() / "project"
    (folder / "scripts" / "deep").mkdir(parents=True)
    return folder


def make_archive(folder):
    (folder / ".wherefrom").mkdir()
    (folder / ".wherefrom" / "archive.db").touch()


def test_an_archive_is_found_upward_and_the_nearest_one_counts(project):
    assert find_root(str(project / "scripts")) is None
    make_archive(project)
    assert find_root(str(project / "scripts" / "deep")) == str(project)
    make_archive(project / "scripts")
    assert find_root(str(project / "scripts" / "deep")) == str(project / "scripts")


def test_an_archive_whose_database_is_elsewhere_is_found_too(project):
    (project / ".wherefrom").mkdir()
    (project / ".wherefrom" / "database").touch()
    assert find_root(str(project / "scripts")) == str(project)


def test_a_project_that_records_to_a_server_is_found_by_its_key(project):
    (project / ".wherefrom" / "keys").mkdir(parents=True)
    assert find_root(str(project / "scripts")) is None
    (project / ".wherefrom" / "keys" / "producer").touch()
    assert find_root(str(project / "scripts")) == str(project)


def test_a_folder_that_only_holds_an_outbox_is_no_archive(project):
    (project / ".wherefrom" / "outbox").mkdir(parents=True)
    assert find_root(str(project)) is None


def test_the_working_directory_counts_before_the_script(project, tmp_path):
    make_archive(project)
    script = str(project / "scripts" / "train.py")
    elsewhere = tmp_path.resolve() / "elsewhere"
    elsewhere.mkdir()
    assert choose_root(script=script, working_directory=str(elsewhere)) == str(project)
    make_archive(elsewhere)
    assert choose_root(script=script, working_directory=str(elsewhere)) == str(elsewhere)


def test_without_an_archive_one_is_to_be_made_at_the_top_of_the_work_tree_or_beside_the_script(project):
    script = str(project / "scripts" / "train.py")
    assert choose_root(script=script, working_directory="/") == str(project / "scripts")
    (project / ".git").mkdir()
    assert choose_root(script=script, working_directory="/") == str(project)
    assert choose_root(script=None, working_directory=str(project / "scripts")) == str(project)
