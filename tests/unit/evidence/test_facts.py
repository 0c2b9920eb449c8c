import dataclasses
import json

import pytest
from lineage_answers import chain_answer, flights_answer, run

from wherefrom.evidence.facts import Graph, find_unknowns, iter_outline, read_run, read_version
from wherefrom.evidence.facts.words import (
    format_bytes,
    format_duration,
    format_instant,
    milliseconds_between,
    shorten_middle,
    visible,
)


def unknowns_of(answer):
    graph = Graph(answer)
    return [u.what for u in find_unknowns(graph, {item.run_id: read_run(item) for item in answer.runs})]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (9_994, "9.99 kB"),
        (9_996, "10.0 kB"),
        (99_960, "100 kB"),
        (999_400, "999 kB"),
        (999_600, "1.00 MB"),
        (48_233_017, "48.2 MB"),
        (10**18 * 2500, "2500 EB"),
    ],
)
def test_bytes_are_written_with_three_digits(number, text):
    assert format_bytes(number) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (45, "45 ms"),
        (12_343, "12.3 s"),
        (59_499, "59.5 s"),
        (59_600, "1 min 0 s"),
        (245_000, "4 min 5 s"),
        (3_599_800, "1 h 0 min"),
        (7_380_000, "2 h 3 min"),
    ],
)
def test_a_duration_is_written_in_the_unit_that_fits(milliseconds, text):
    assert format_duration(milliseconds) == text


def test_a_time_is_written_in_utc_and_what_is_no_time_stays_as_it_is():
    assert format_instant("2026-11-20T10:15:07.5+02:00") == "2026-11-20 08:15:07 UTC"
    assert format_instant("yesterday") == "yesterday"
    assert milliseconds_between("2026-11-20T08:00:00Z", "2026-11-20T08:00:01.5Z") == 1500
    assert milliseconds_between("2026-11-20T08:00:01Z", "2026-11-20T08:00:00Z") is None
    assert milliseconds_between("", "2026-11-20T08:00:00Z") is None


def test_a_name_is_shortened_in_its_middle_to_the_width_it_takes_on_screen():
    assert shorten_middle("warehouse/events/part-00012.parquet", 20) == "warehou…0012.parquet"
    assert shorten_middle("short", 20) == "short"
    assert shorten_middle("数据数据数据数据", 9) == "数…据数据"  # each takes two columns


def test_what_cannot_be_seen_is_written_out():
    assert visible("a\x1b[31mb\u202egnp.exe\n") == "a\\x1b[31mb\\u202egnp.exe\\n"
    assert visible("a\nb", keep="\n") == "a\nb"
    assert visible("naïve 数据 🙂") == "naïve 数据 🙂"
    visible("\udc80").encode()  # half a surrogate pair would not even be text


def test_a_facet_of_another_form_than_its_spec_counts_as_not_said():
    facets = {
        "wherefrom_environment": {"git": "none", "packages": [], "host": {"cpus": True}, "script": None, "argv": "x"},
        "wherefrom_fits": {"fits": [3, {"estimator": 7, "parameters": [], "fittedOn": {}}]},
        "wherefrom_metrics": {"metrics": {"mae": 1}},
        "wherefrom_logs": [],
        "wherefrom_end": {"exitCode": "0", "durationMs": None},
        "executionParameters": {"parameters": [{"value": 1}, "x"]},
        "errorMessage": 5,
    }
    facts = read_run(run(1, "a.py", facets=facets))
    assert (facts.code.commit, facts.code.is_dirty, facts.packages, facts.argv, facts.host) == ("", None, (), (), "")
    assert [fit.estimator for fit in facts.fits] == ["unknown estimator"] * 2
    assert (facts.metrics, facts.logs, facts.parameters, facts.error) == ((), (), (), "")
    assert facts.exit_code is None
    assert facts.duration_ms == 12_343  # from start and end


def test_a_run_of_another_tool_is_read_from_the_standard_facets():
    item = dataclasses.replace(
        run(1, "job", facets={"processing_engine": {"name": "spark", "version": "3.5.1"}}),
        job_facets={"sourceCodeLocation": {"url": "https://example.org/r.git", "version": "abc", "path": "job.py"}},
    )
    facts = read_run(item)
    assert facts.engine == "spark 3.5.1"
    assert (facts.code.commit, facts.code.repository, facts.code.path) == ("abc", "https://example.org/r.git", "job.py")
    assert facts.code.is_dirty is None


def test_a_facet_without_a_place_of_its_own_is_passed_on():
    (name, text), *rest = read_run(run(1, "a.py", facets={"spark_plan": {"b": 1, "a": [2]}})).others
    assert (name, json.loads(text), rest) == ("spark_plan", {"a": [2], "b": 1}, [])


def test_a_version_says_how_it_is_known_once_for_each_way():
    graph = Graph(flights_answer())
    airports, planes = graph.versions[2], graph.versions[9]
    assert read_version(graph, airports).known == ("observed via open", "declared via log_input")
    assert read_version(graph, planes).known == ("observed via pandas.to_parquet", "inferred via pandas.read_parquet")
    assert read_version(graph, airports).columns[:2] == (("year", "int"), ("carrier", "string"))


def test_every_kind_of_not_knowing_is_said():
    assert unknowns_of(flights_answer()) == [
        "1 source has no source statement",
        "1 link is inferred, not observed",
        "1 link is declared, not observed",
        "1 data version was made by other runs as well",
        "1 run was started from code with uncommitted changes",
    ]
    answer = chain_answer(2)
    first, *others = answer.versions
    runs = (dataclasses.replace(answer.runs[0], state="FAIL"), answer.runs[1])
    unseen = dataclasses.replace(answer, runs=runs, versions=(dataclasses.replace(first, digests={}), *others))
    assert unknowns_of(unseen) == [
        "1 source has no source statement",
        "1 data version was named, but the content not seen",
        "2 runs have no known commit",
        "1 run has not ended well, or no end is recorded",
    ]
    cut = dataclasses.replace(
        answer, is_cut=True, depth=1, versions=(*others,), edges=answer.edges[:1] + answer.edges[2:]
    )
    assert unknowns_of(cut)[0] == "The question was asked to a depth of 1 run"
    assert "1 run has no recorded input" in unknowns_of(cut)
    made_later = dataclasses.replace(answer, versions=(dataclasses.replace(first, makers=1), *others))
    assert "1 source was made by runs outside this answer" in unknowns_of(made_later)
    alone = dataclasses.replace(answer, runs=(), edges=(), versions=answer.versions[2:])
    assert unknowns_of(alone) == ["No run is known that made step-0002.csv"]


def test_what_lies_beyond_the_depth_asked_for_is_no_source():
    answer = chain_answer(3)
    edges = tuple(edge for edge in answer.edges if edge.run_id == answer.runs[2].run_id)
    cut = dataclasses.replace(
        answer, is_cut=True, depth=1, versions=answer.versions[2:], runs=answer.runs[2:], edges=edges
    )
    assert list(Graph(cut).sources) == []
    assert list(Graph(dataclasses.replace(cut, is_cut=False)).sources) == [2]


@pytest.mark.parametrize("max_depth", [2, 5, 1000])
def test_an_outline_tells_every_node_once_at_any_depth(max_depth):
    answer = chain_answer(600)  # deeper than Python's own recursion would like
    items = list(iter_outline(Graph(answer), max_depth=max_depth))
    told = [item.node for item in items if not item.is_repeat and not item.is_continued]
    assert len(told) == len(answer.versions) + len(answer.runs)
    assert set(map(id, told)) == set(map(id, (*answer.versions, *answer.runs)))
    assert max(item.depth for item in items) <= max_depth + 2


def test_an_outline_of_a_circle_ends():
    answer = chain_answer(2)
    back = dataclasses.replace(answer.edges[0], version=0, run_id=answer.runs[1].run_id)
    items = list(iter_outline(Graph(dataclasses.replace(answer, edges=(*answer.edges, back))), max_depth=50))
    assert sum(item.is_repeat for item in items) == 1
