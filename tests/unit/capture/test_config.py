import logging

import pytest

from wherefrom.capture.config import Config, nothing, read_config
from wherefrom.errors import FormatError, UnavailableError

FULL = """
[project]
namespace = "flights"

[server]
url = "https://lineage.example.com"
send_for_s = 5

[capture]
include = ["vendor/**/*.txt"]
exclude = ["scratch", "*.log"]
logging = "WARNING"
log_max_records = 10
records_max_bytes = 1_000_000
fit_max_bytes = 0

[[capture.level]]
path = "customers/**"
level = "subject-keys"
keys = ["customer_id"]
private = true

[[capture.level]]
path = "*.csv"
level = "files"

[[source]]
path = "raw/*"
origin = "https://example.com/data"
licence = "CC0-1.0"
acquired_by = "ada"
acquired_how = "download"
acquired_at = 2026-01-02T03:04:05Z
purpose = "research"
"""


def write(folder, text):
    (folder / "wherefrom.toml").write_text(text)
    return folder


def test_without_a_file_the_defaults_hold(tmp_path):
    config = read_config(tmp_path)
    assert config == Config()
    assert config.level_of("any/table.csv").level == "records"
    assert config.log_level == logging.INFO


def test_every_key_is_read(tmp_path):
    config = read_config(write(tmp_path, FULL))
    assert config.namespace == "flights"
    assert (config.server_url, config.send_for_s) == ("https://lineage.example.com", 5)
    assert (config.log_level, config.log_max_records) == (logging.WARNING, 10)
    assert (config.records_max_bytes, config.fit_max_bytes) == (1_000_000, 0)
    assert [bool(p.fullmatch("scratch/x")) for p in config.exclude] == [True, False]
    assert config.include[0].fullmatch("vendor/a/b.txt")
    source = config.source_of("raw/a.csv")
    assert source == {
        "origin": "https://example.com/data",
        "licence": "CC0-1.0",
        "acquiredBy": "ada",
        "acquiredHow": "download",
        "acquiredAt": "2026-01-02T03:04:05+00:00",
        "originalPurpose": "research",
    }
    assert config.source_of("made/a.csv") is None


def test_the_first_level_that_matches_decides(tmp_path):
    config = read_config(write(tmp_path, FULL))
    rule = config.level_of("customers/a.csv")
    assert (rule.level, rule.keys, rule.is_private) == ("subject-keys", ("customer_id",), True)
    assert config.level_of("other/a.csv").level == "files"
    assert config.level_of("other/a.parquet").level == "records"


def test_logging_can_be_switched_off(tmp_path):
    assert read_config(write(tmp_path, '[capture]\nlogging = "off"')).log_level is None


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[capture", "wherefrom.toml: "),
        ("[captur]", "captur is unknown; known: project, capture, source"),
        ("[project]\nname = 'x'", "project.name is unknown"),
        ("[project]\nnamespace = 1", "project.namespace is 1, expected a text"),
        ("[project]\nnamespace = ''", "project.namespace is '', expected a text"),
        ("project = 3", "project is 3, expected a table"),
        ("[capture]\ninclude = 'x'", "capture.include is 'x', expected a list of texts"),
        ("[capture]\nexclude = [1]", r"capture.exclude\[0\] is 1"),
        ("[capture]\nlogging = 'LOUD'", "capture.logging is 'LOUD', expected one of off, DEBUG"),
        ("[capture]\nrecords_max_bytes = -1", "capture.records_max_bytes is -1, expected a whole number"),
        ("[capture]\nfit_max_bytes = true", "capture.fit_max_bytes is True"),
        ("[capture]\nlog_max_records = 1.5", "capture.log_max_records is 1.5"),
        ("[capture]\nlevel = 'files'", r"capture.level expected tables, written as \[\[capture.level\]\]"),
        ("[[capture.level]]\nlevel = 'files'", r"capture.level\[0\].path is missing"),
        ("[[capture.level]]\npath = 'x'", r"capture.level\[0\].level is missing"),
        ("[[capture.level]]\npath = 'x'\nlevel = 'rows'", r"capture.level\[0\].level is 'rows'"),
        ("[[capture.level]]\npath = 'x'\nlevel = 'subject-keys'", r"capture.level\[0\].keys names the key columns"),
        ("[[capture.level]]\npath = 'x'\nlevel = 'files'\nkeys = ['a']", "goes with no other level"),
        ("[[capture.level]]\npath = 'x'\nlevel = 'files'\nprivate = true", r"level\[0\].private is true or false, and"),
        ("[[capture.level]]\npath = 'x'\nlevel = 'records'\nprivate = 1", r"level\[0\].private is true or false, and"),
        ("[[source]]\npath = 'x'", r"source\[0\] says nothing about the source"),
        ("[server]\ntoken = 'secret'", "server.token is unknown; known: url, send_for_s"),
        ("[server]\nurl = 3", "server.url is 3, expected a text"),
        ("[[source]]\npath = 'x'\nlicense = 'MIT'", r"source\[0\].license is unknown"),
        ("[[source]]\npath = 'x'\nacquired_at = '2026-01-02'", "expected a time with a zone"),
        ("[[source]]\npath = 'x'\nacquired_at = 2026-01-02T00:00:00", "expected a time with a zone"),
    ],
)
def test_what_is_wrong_is_refused_with_file_and_key(tmp_path, text, named):
    with pytest.raises(FormatError, match=named) as caught:
        read_config(write(tmp_path, text))
    assert str(tmp_path / "wherefrom.toml") in str(caught.value)


def test_a_file_that_is_no_text_could_not_be_read(tmp_path):
    (tmp_path / "wherefrom.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UnavailableError, match="can't read"):
        read_config(tmp_path)


def test_with_a_wrong_file_no_data_is_looked_at():
    config = nothing()
    assert config.level_of("any/table.csv", "/x/any/table.csv").level == "off"
    assert config.log_level is None
    assert config.fit_max_bytes == 0
