import pytest

from wherefrom.capture.patterns import compile_pattern, matches


@pytest.mark.parametrize(
    ("pattern", "path", "is_match"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", "deep/in/a.csv", True),
        ("*.csv", "a.csv.gz", False),
        ("raw/*.csv", "raw/a.csv", True),
        ("raw/*.csv", "raw/more/a.csv", False),
        ("raw/*.csv", "other/raw/a.csv", False),
        ("raw/**/*.csv", "raw/more/deep/a.csv", True),
        ("raw/**/*.csv", "raw/a.csv", True),
        ("**/secret/*", "a/b/secret/c", True),
        ("**/secret/*", "secret/c", True),
        ("scratch", "scratch/any/thing", True),
        ("scratch", "a/scratch/thing", True),
        ("scratch/", "scratch/thing", True),
        ("scratch", "scratches/thing", False),
        ("data/part-?.csv", "data/part-1.csv", True),
        ("data/part-?.csv", "data/part-10.csv", False),
        ("data/[ab].csv", "data/a.csv", True),
        ("data/[!ab].csv", "data/a.csv", False),
        ("data/[!ab].csv", "data/c.csv", True),
        ("./raw/a.csv", "raw/a.csv", True),
        ("/abs/*.csv", "/abs/a.csv", True),
        ("a.b", "axb", False),
        ("**", "any/thing", True),
        ("raw/**", "raw/a/b", True),
    ],
)
def test_patterns_match_as_in_gitignore(pattern, path, is_match):
    assert bool(compile_pattern(pattern).fullmatch(path)) is is_match


def test_the_home_folder_may_be_written_short(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    assert compile_pattern("~/data/*").fullmatch("/home/ada/data/x")
    assert not compile_pattern("~/data/*").fullmatch("/home/bob/data/x")


def test_any_pattern_and_any_name_of_a_path_will_do():
    patterns = [compile_pattern("raw/*"), compile_pattern("/mnt/**")]
    assert matches(patterns, "raw/x", "/project/raw/x")
    assert matches(patterns, "/mnt/y")
    assert not matches(patterns, "z", "/project/z")
    assert not matches([], "raw/x")
