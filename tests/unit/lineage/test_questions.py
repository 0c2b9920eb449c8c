import pytest
from events import content, dataset, event, pipeline, run_id

from wherefrom.errors import FormatError, NotFoundError
from wherefrom.statements import make_correction_statement, make_gap_statement, make_source_statement


def edges(answer):
    """Edges as (run, relation, name, how), by names that tests give."""
    names = {version.key: version.name for version in answer.versions}
    jobs = {run.run_id: run.job_name for run in answer.runs}
    return {(jobs[e.run_id], e.relation, names[e.version], e.how) for e in answer.edges}


def test_a_model_is_traced_up_to_all_it_was_made_from(archive):
    archive.record(*pipeline())
    answer = archive.trace("models/m.joblib")
    assert edges(answer) == {
        ("clean.py", "used", "raw.csv", "observed"),
        ("clean.py", "used", "more.csv", "observed"),
        ("clean.py", "was_generated_by", "table.parquet", "observed"),
        ("train.py", "used", "table.parquet", "observed"),
        ("train.py", "was_generated_by", "models/m.joblib", "observed"),
    }
    assert [run.state for run in answer.runs] == ["COMPLETE", "COMPLETE"]
    assert not answer.is_cut


def test_a_source_is_traced_down_to_all_that_was_made_with_it(archive):
    archive.record(*pipeline(), event("report", [dataset("models/m.joblib", "model")]))
    answer = archive.trace("more.csv", direction="down")
    assert {run.job_name for run in answer.runs} == {"clean.py", "train.py", "report.py"}
    assert {version.name for version in answer.versions} == {"more.csv", "table.parquet", "models/m.joblib"}


@pytest.mark.parametrize(("direction", "start"), [("up", "models/m.joblib"), ("down", "raw.csv")])
def test_depth_counts_runs_and_a_cut_is_said(archive, direction, start):
    archive.record(*pipeline())
    for depth, runs, is_cut in ((0, 0, True), (1, 1, True), (2, 2, False), (9, 2, False)):
        answer = archive.trace(start, direction=direction, depth=depth)
        assert (len(answer.runs), answer.is_cut) == (runs, is_cut)


def test_the_answer_is_the_one_that_was_true_as_of_an_entry(archive):
    archive.record(*pipeline())
    archive.record(event("train again", [dataset("other.csv", "other")], [dataset("models/m.joblib", "better")]))
    now, then = archive.trace("models/m.joblib"), archive.trace("models/m.joblib", as_of=4)
    assert [run.job_name for run in now.runs] == ["train again.py"]
    assert {run.job_name for run in then.runs} == {"train.py", "clean.py"}
    with pytest.raises(NotFoundError):
        archive.trace("models/m.joblib", as_of=3)


def test_of_several_makers_the_last_before_the_use_is_followed_and_all_are_counted(archive):
    archive.record(
        event("early", [dataset("a", "1")], [dataset("t", "same")]),
        event("late", [dataset("b", "1")], [dataset("t", "same")]),
        event("use", [dataset("t", "same")], [dataset("m", "model")]),
        event("too late", [dataset("c", "1")], [dataset("t", "same")]),
    )
    answer = archive.trace("m")
    assert {run.job_name for run in answer.runs} == {"use.py", "late.py"}
    assert next(v for v in answer.versions if v.name == "t").makers == 3


def test_a_run_that_writes_what_it_read_ends_the_walk(archive):
    archive.record(
        event("first", [dataset("s", "0")], [dataset("t", "1")]),
        event("same", [dataset("t", "1")], [dataset("t", "1")]),
        event("back", [dataset("t", "1")], [dataset("s", "0")]),
    )
    assert {run.job_name for run in archive.trace("s").runs} == {"back.py", "same.py", "first.py"}


def test_an_input_whose_content_was_not_seen_is_inferred_to_be_the_newest_then_known(archive):
    archive.record(
        event("one", [], [dataset("t", "old")]),
        event("two", [], [dataset("t", "new")]),
        event("use", [dataset("t")], [dataset("m", "model")]),
        event("three", [], [dataset("t", "newer")]),
    )
    answer = archive.trace("m")
    assert ("use.py", "used", "t", "inferred") in edges(answer)
    assert {run.job_name for run in answer.runs} == {"use.py", "two.py"}


def test_an_input_never_seen_before_stays_without_content(archive):
    archive.record(event("use", [dataset("s3 object")], [dataset("m", "model")]))
    answer = archive.trace("m")
    assert ("use.py", "used", "s3 object", "declared") in edges(answer)
    assert next(v for v in answer.versions if v.name == "s3 object").digests == {}


def test_what_a_statement_said_is_gone_after_its_correction_and_still_there_before(archive):
    receipts = archive.record(*pipeline())
    archive.record(make_correction_statement(receipts[1].statement_id, reason="the wrong file was given"))
    assert {run.job_name for run in archive.trace("models/m.joblib").runs} == {"train.py"}
    assert {run.job_name for run in archive.trace("models/m.joblib", as_of=4).runs} == {"train.py", "clean.py"}
    assert archive.rebuild() == []


def test_gaps_and_sources_come_with_the_answer(archive):
    digests = {"sha256": content("raw")}
    archive.record(
        *pipeline(),
        make_gap_statement(run_id("train"), "subprocess", "started `make`", at="2026-11-21T08:00:00Z"),
        make_source_statement("test", "raw.csv", digests, licence="CC0-1.0"),
    )
    answer = archive.trace("models/m.joblib")
    assert [gap["detail"] for run in answer.runs for gap in run.gaps] == ["started `make`"]
    assert next(v for v in answer.versions if v.name == "raw.csv").sources[0]["licence"] == "CC0-1.0"


@pytest.mark.parametrize("spelling", ["models/m.joblib", "m.joblib", content("model"), content("model")[:8]])
def test_a_version_is_found_by_name_by_its_last_part_and_by_digest(archive, spelling):
    archive.record(*pipeline())
    answer = archive.trace(spelling)
    assert next(v for v in answer.versions if v.key == answer.subject).name == "models/m.joblib"


def test_a_version_is_found_by_a_path_relative_to_the_working_folder(archive, monkeypatch):
    archive.record(*pipeline())
    (archive.root / "models").mkdir()
    monkeypatch.chdir(archive.root / "models")
    assert len(archive.trace("m.joblib").runs) == 2
    assert archive.trace("../raw.csv", direction="down").runs


@pytest.mark.parametrize(
    ("what", "message", "hint"),
    [
        ("models/n.joblib", "nothing named 'models/n.joblib' is recorded", "did you mean models/m.joblib?"),
        ("tabel.parquet", "nothing named", "did you mean table.parquet?"),
        ("zzzz", "nothing named 'zzzz' is recorded", "`wherefrom status` lists what is recorded"),
        ("abcdef123456", "nothing named", ""),
    ],
)
def test_an_unknown_name_is_answered_with_near_matches(archive, what, message, hint):
    archive.record(*pipeline())
    with pytest.raises(NotFoundError, match=message) as caught:
        archive.trace(what)
    assert hint in (caught.value.hint or "")


def test_a_last_part_that_two_things_have_is_not_guessed(archive):
    archive.record(event("a", [dataset("x/t.csv", "1"), dataset("y/t.csv", "2")]))
    with pytest.raises(NotFoundError, match=r"'t.csv' could be 2 things: x/t.csv, y/t.csv"):
        archive.trace("t.csv")


def test_as_of_is_an_entry_a_day_or_an_instant(archive):
    archive.record(*pipeline())
    assert archive.parse_as_of("0") == 1
    assert archive.parse_as_of("2000-01-01") == 0
    assert archive.parse_as_of("2999-01-01") == 4
    assert archive.parse_as_of("2999-01-01T00:00:00+02:00") == 4
    with pytest.raises(NotFoundError, match="no entry 4 in this archive, which has 4"):
        archive.parse_as_of("4")
    for wrong in ("2026-11-21T08:00:00", "yesterday", "-1", "2026-02-30", "٣", "9999-12-31T23:59:59-12:00", ""):
        with pytest.raises(FormatError) as error:
            archive.parse_as_of(wrong)
        wanted = "an entry's index, a day, or a time with a zone (RFC 3339)"
        assert str(error.value) == f"as of {wrong!r}: expected {wanted}"
    with pytest.raises(NotFoundError, match="no entry 9999"):
        archive.parse_as_of("9" * 5000)
    assert archive.parse_as_of("9999-12-31") == 4
