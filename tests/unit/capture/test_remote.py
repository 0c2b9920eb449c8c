"""Which server a project records to, and which token goes there."""

import pytest

from wherefrom.capture.config import Config
from wherefrom.capture.remote import find_remote
from wherefrom.errors import UnavailableError

FROM_FILE = Config(server_url="https://file.example.com", send_for_s=3)


def test_without_a_word_a_project_records_into_its_own_archive(tmp_path):
    assert find_remote(tmp_path, Config(), {}) is None
    assert find_remote(tmp_path, Config(), {"WHEREFROM_TOKEN": "t"}) is None


def test_the_environment_goes_before_the_file_and_may_say_nowhere(tmp_path):
    given = {"WHEREFROM_URL": " https://env.example.com ", "WHEREFROM_TOKEN": "t"}
    remote = find_remote(tmp_path, FROM_FILE, given)
    assert (remote.url, remote.read_token(), remote.send_for_s) == ("https://env.example.com", "t", 3)
    assert find_remote(tmp_path, FROM_FILE, {"WHEREFROM_URL": ""}) is None


def test_a_token_goes_to_nobody_but_whom_it_was_given_for(tmp_path):
    (tmp_path / ".wherefrom").mkdir()
    (tmp_path / ".wherefrom" / "token").write_text("of-the-file\n")
    assert find_remote(tmp_path, FROM_FILE, {"WHEREFROM_TOKEN": "of-the-environment"}).read_token() == "of-the-file"
    assert find_remote(tmp_path, FROM_FILE, {"WHEREFROM_URL": "http://x"}).read_token() is None


def test_there_may_be_no_token_and_one_that_can_not_be_read_is_said(tmp_path):
    remote = find_remote(tmp_path, FROM_FILE, {})
    assert remote.read_token() is None
    (tmp_path / ".wherefrom" / "token").mkdir(parents=True)
    with pytest.raises(UnavailableError, match="token file"):
        remote.read_token()
