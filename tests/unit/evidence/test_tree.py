import dataclasses
import re

import pytest
from lineage_answers import chain_answer, flights_answer, shards_answer, wide_answer

from wherefrom.evidence.tree import format_tree

ANSWERS = {
    "flights": flights_answer(),
    "chain": chain_answer(40),
    "shards": shards_answer(12),
    "wide": wide_answer(60),
}


def plain(answer, width=80, **more):
    return format_tree(answer, width=width, colour=False, **more)


def down_answer():
    """What became of the airports table, as far as the flights pipeline is known."""
    up = flights_answer()
    airports = next(version for version in up.versions if version.name == "data/raw/airports.csv")
    return dataclasses.replace(up, subject=airports.key, direction="down")


def test_a_tree_reads_from_the_model_down_to_its_sources():
    up = chain_answer(1)
    source = {"licence": "CC0-1.0", "origin": "example.org", "originalPurpose": "statistics"}
    stated = dataclasses.replace(up.versions[0], sources=(source,))
    assert plain(dataclasses.replace(up, versions=(stated, up.versions[1]))).splitlines() == [
        "step-0001.csv  1 row  10 B  sha256:6b86b273ff34…",
        "└─ made by step_1.py  COMPLETE  run 00000001",
        "   │  no git commit",
        "   └─ from step-0000.csv  1 row  10 B  sha256:5feceb66ffc8…",
        "         source: CC0-1.0, example.org, statistics",
        "",
        "1 source (1 with a source statement), 1 run, 2 data versions, as of entry 1",
    ]


def test_a_tree_tells_what_went_into_the_model():
    lines = plain(flights_answer()).splitlines()
    text = "\n".join(lines)
    assert lines[0].startswith("models/delay.joblib  48.2 MB  sha256:")
    assert lines[1] == "└─ made by train.py  COMPLETE  12.3 s  2026-11-20 08:14:07 UTC  run 0192f3a4"
    assert lines[2] == "   │  git 1a2b3c4 (clean), Python 3.11.9, 62 packages"
    assert "parameters: seed=7, test_size=0.2" in text
    assert "fit RandomForestRegressor: criterion=squared_error, max_depth=12," in text
    assert "metrics: mae=17.21, r2=0.3127" in text
    assert "git 1a2b3c4 (uncommitted changes)" in text
    assert "! 1 gap: unreadable: data/tmp/join-spill.arrow" in text
    assert text.count("source: CC0-1.0") == 4
    assert text.count("no source statement") == 1
    assert "5 sources (4 with a source statement), 4 runs, 13 data versions, as of entry 23" in text
    assert "! 2 gaps: something that was read or written could not be recorded" in text


def test_what_was_not_observed_says_so():
    text = plain(flights_answer(), width=200)
    assert re.search(r"planes\.parquet .*\(inferred\)", text)
    assert re.search(r"airports\.csv .*\(declared\)", text)
    assert text.count("(inferred)") == text.count("(declared)") == 1


def test_a_run_is_told_in_full_once_and_then_referred_to():
    text = plain(flights_answer())
    assert len(re.findall(r"made by ingest\.py  COMPLETE", text)) == 1
    assert len(re.findall(r"made by ingest\.py  \(above\)", text)) == 4


def test_downwards_it_tells_who_used_the_data_and_what_they_made():
    text = plain(down_answer())
    assert text.startswith("data/raw/airports.csv")
    assert "├─ used by ingest.py" in text
    assert "made data/parquet/airports.parquet" in text
    assert "made models/delay.joblib" in text
    assert "no source statement" not in text
    assert "from " not in text.replace("from the US", "")


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("width", [40, 57, 80, 200])
def test_no_line_is_wider_than_the_terminal(name, width):
    for encoding in ("utf-8", "ascii"):
        assert max(map(len, plain(ANSWERS[name], width, encoding=encoding).splitlines())) <= width


def test_a_lineage_deeper_than_the_terminal_is_wide_goes_on_below():
    text = plain(chain_answer(40), width=60)
    put_off = re.findall(r"from (step-\d+\.csv)\s+\(continued below\)", text)
    assert put_off == re.findall(r"\n\n(step-\d+\.csv)", text)
    assert len(put_off) == 7
    assert [text.count(f"made by step_{n}.py") for n in range(1, 41)] == [1] * 40
    assert "(continued below)" not in plain(chain_answer(40), width=600)


def test_colours_say_nothing_that_the_text_does_not():
    coloured = format_tree(flights_answer(), width=80, colour=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain(flights_answer())
    assert "\x1b" not in plain(flights_answer())


def test_a_stream_that_is_not_utf_8_gets_what_it_can_print():
    answer = chain_answer(1)
    named = dataclasses.replace(
        answer, versions=(answer.versions[0], dataclasses.replace(answer.versions[1], name="größe数.csv"))
    )
    assert plain(named, encoding="ascii").splitlines()[:2] == [
        "gr\\xf6\\xdfe\\u6570.csv  1 row  10 B  sha256:6b86b273ff34..",
        "`- made by step_1.py  COMPLETE  run 00000001",
    ]
    assert plain(named, encoding="latin-1").startswith("größe\\u6570.csv")
    assert plain(named, encoding="UTF8").startswith("größe数.csv")


def test_a_name_cannot_command_the_terminal():
    answer = chain_answer(1)
    hostile = dataclasses.replace(answer.versions[0], name="a\x1b]0;owned\x07\r\u202eb\n.csv")
    text = plain(dataclasses.replace(answer, versions=(hostile, answer.versions[1])), width=120)
    assert "a\\x1b]0;owned\\x07\\r\\u202eb\\n.csv" in text
    assert not set(text) & {"\x1b", "\x07", "\r", "\u202e"}


def test_what_does_not_fit_in_a_few_lines_is_counted():
    answer = flights_answer()
    parameters = {"parameters": [{"key": f"parameter_{n:02d}", "value": "x" * 20} for n in range(40)]}
    train = dataclasses.replace(answer.runs[3], facets=answer.runs[3].facets | {"executionParameters": parameters})
    lines = plain(dataclasses.replace(answer, runs=(*answer.runs[:3], train))).splitlines()
    told = [line for line in lines if "parameter_" in line]
    assert len(told) == 3
    left = int(re.search(r"… (\d+) more$", told[-1])[1])
    assert "".join(told).count("parameter_") + left == 40


def test_unknowns_stand_where_they_matter():
    answer = chain_answer(3)
    edges = tuple(edge for edge in answer.edges if edge.run_id == answer.runs[2].run_id)
    unseen = dataclasses.replace(answer.versions[3], digests={})
    cut = dataclasses.replace(
        answer, is_cut=True, depth=1, versions=(answer.versions[2], unseen), runs=answer.runs[2:], edges=edges
    )
    text = plain(cut)
    assert "step-0003.csv  1 row  10 B  content not seen" in text
    assert "not followed further: the depth asked for is reached" in text
    assert "no source statement" not in text
    assert "! cut at a depth of 1 run: there is more beyond it" in text


def test_a_failed_run_says_what_ended_it():
    answer = chain_answer(1)
    failed = dataclasses.replace(
        answer.runs[0], state="FAIL", facets={"errorMessage": {"message": "ValueError: bad row 7\nin line 3"}}
    )
    text = plain(dataclasses.replace(answer, runs=(failed,)))
    assert "made by step_1.py  FAIL" in text
    assert "ended by ValueError: bad row 7 in line 3" in text
