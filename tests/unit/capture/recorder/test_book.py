import hashlib
import os
import time

import numpy as np
import pytest

from wherefrom.capture import handover
from wherefrom.capture.config import Config, LevelRule, SourceRule, nothing
from wherefrom.capture.patterns import compile_pattern
from wherefrom.errors import FormatError, UnavailableError
from wherefrom.fingerprints import fingerprint_files, fingerprint_records


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def datasets(event, side):
    """Name to fingerprint facet."""
    return {d["name"]: d["facets"]["wherefrom_fingerprint"] for d in event[side]}


def test_a_run_begins_and_ends_with_what_it_read_and_wrote(recorder, root):
    (root / "in.txt").write_text("in")
    run = recorder.begin(parameters={"lr": "0.1"})
    recorder.read(run, root / "in.txt")
    recorder.write(run, root / "out.txt", "out")
    recorder.end(run, exitCode=0)
    archive = recorder.close()
    start, end = archive.events()
    assert (start["eventType"], end["eventType"]) == ("START", "COMPLETE")
    assert start["run"]["runId"] == end["run"]["runId"] == run
    assert start["job"]["name"] == end["job"]["name"] == "job"
    assert datasets(end, "inputs")["in.txt"]["digests"] == {"sha256": sha256("in")}
    assert datasets(end, "outputs")["out.txt"]["digests"] == {"sha256": sha256("out")}
    assert end["run"]["facets"]["wherefrom_end"]["exitCode"] == 0
    assert end["run"]["facets"]["executionParameters"]["parameters"] == [{"key": "lr", "value": "0.1"}]
    assert archive.gaps() == []
    [statement] = [s for s in archive.statements if s.predicate.get("eventType") == "COMPLETE"]
    assert {subject.name for subject in statement.subjects} == {f"run:{run}", "test/out.txt"}


def test_what_is_no_data_or_switched_off_or_never_came_to_be_is_left_out(make_recorder, root):
    recorder = make_recorder(Config(levels=(LevelRule(compile_pattern("off"), "off"),)))
    (root / "off").mkdir()
    for name in ("off/x.csv", "train.py", "folder/x"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()
    run = recorder.begin()
    recorder.read(run, *(root / name for name in ("off/x.csv", "train.py", "missing.csv", "folder")))
    recorder.write(run, root / "off" / "y.csv", "x")
    recorder.write(run, root / "never.csv")
    recorder.write(run, root / "gone.csv", "x")
    (root / "gone.csv").unlink()
    recorder.end(run)
    event = recorder.last()
    assert event["inputs"] == event["outputs"] == []


def test_a_file_that_was_opened_for_writing_and_left_as_it_was_is_no_output(recorder, root):
    (root / "x.csv").write_text("x")
    time.sleep(0.05)
    run = recorder.begin()
    recorder.write(run, root / "x.csv")
    recorder.end(run)
    assert recorder.last()["outputs"] == []


def test_an_output_that_changed_after_the_end_has_no_digest_and_a_gap(recorder, root):
    run = recorder.begin()
    recorder.write(run, root / "x.csv", "x")
    end = time.time_ns()
    time.sleep(0.05)
    (root / "x.csv").write_text("later")
    recorder.book.handle({"do": "end", "run": run, "at": end, "state": "COMPLETE", "reason": "returned"})
    event = recorder.last()
    assert datasets(event, "outputs")["x.csv"]["digests"] == {}
    assert recorder.archive.gaps() == [("changed after the end", "x.csv")]


def test_a_temporary_file_renamed_to_its_place_has_its_final_name_and_a_removed_one_none(recorder, root):
    run = recorder.begin()
    recorder.write(run, root / "x.tmp", "x")
    (root / "x.tmp").rename(root / "x.csv")
    recorder.say("rename", run, path=str(root / "x.tmp"), to=str(root / "x.csv"))
    recorder.write(run, root / "y.tmp", "y")
    recorder.say("remove", run, path=str(root / "y.tmp"))
    recorder.end(run)
    assert list(datasets(recorder.last(), "outputs")) == ["x.csv"]


def test_moving_what_was_there_before_is_reading_the_one_and_writing_the_other(recorder, root):
    (root / "old.csv").write_text("x")
    run = recorder.begin()
    recorder.say("rename", run, path=str(root / "old.csv"), to=str(root / "new.csv"), ask=1)
    wait_for(lambda: recorder.answers)
    (root / "old.csv").rename(root / "new.csv")
    recorder.end(run)
    event = recorder.last()
    assert datasets(event, "inputs")["old.csv"]["digests"]["sha256"] == sha256("x")
    assert datasets(event, "outputs")["new.csv"]["digests"]["sha256"] == sha256("x")


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_who_overwrites_an_input_is_answered_once_that_is_hashed(recorder, root):
    (root / "x.bin").write_bytes(b"before")
    run = recorder.begin()
    recorder.read(run, root / "x.bin")
    recorder.say("write", run, path=str(root / "x.bin"), via="open", ask=7)
    wait_for(lambda: recorder.answers == [7])
    (root / "x.bin").write_bytes(b"after")
    recorder.end(run)
    event = recorder.last()
    assert datasets(event, "inputs")["x.bin"]["digests"] == {"sha256": sha256("before")}
    assert datasets(event, "outputs")["x.bin"]["digests"] == {"sha256": sha256("after")}
    assert recorder.archive.gaps() == []


def test_who_asks_about_something_unknown_is_answered_at_once(recorder, root):
    run = recorder.begin()
    recorder.say("write", run, path=str(root / "x"), via="open", ask=1)
    recorder.say("remove", "no-such-run", path=str(root / "x"), ask=2)
    assert recorder.answers == [1, 2]
    recorder.close()


def test_an_input_that_somebody_else_changes_later_is_recorded_as_it_was_with_a_gap(recorder, root):
    (root / "x.bin").write_bytes(b"before")
    run = recorder.begin()
    recorder.read(run, root / "x.bin")
    recorder.book.hashed[-1].result()
    (root / "x.bin").write_bytes(b"changed")
    recorder.end(run)
    event = recorder.last()
    assert datasets(event, "inputs")["x.bin"]["digests"] == {"sha256": sha256("before")}
    assert recorder.archive.gaps() == [("changed while the run lasted", "x.bin")]


def test_a_folder_counts_for_wrappers_and_declarations_and_not_for_open(recorder, root):
    for folder in ("read", "written"):
        (root / folder).mkdir()
        (root / folder / "a").write_text("x")
    run = recorder.begin()
    recorder.read(run, root / "read")
    recorder.end(run)
    other = recorder.begin(job="other")
    recorder.read(other, root / "read", via="pyarrow.dataset", folders=True)
    recorder.write(other, root / "written", via="pyarrow.dataset", folder=True)
    recorder.end(other)
    events = recorder.close().events("COMPLETE")
    assert events[0]["inputs"] == []
    assert datasets(events[1], "inputs")["read"]["digests"] == dict([fingerprint_files(root / "read").digest])
    assert datasets(events[1], "outputs")["written"]["digests"] == dict([fingerprint_files(root / "written").digest])


def test_a_declared_file_that_is_not_there_is_a_gap(recorder, root):
    run = recorder.begin()
    recorder.read(run, root / "none.csv", via="log_input", known="declared")
    recorder.end(run)
    assert recorder.last()["inputs"] == []
    assert recorder.archive.gaps() == [("not hashed", "none.csv")]


def test_a_run_whose_process_says_nothing_more_was_killed(recorder, root):
    outer = recorder.begin(kind="SCRIPT")
    inner = recorder.begin(job="inner", enclosing=outer)
    recorder.write(inner, root / "x", "x")
    events = recorder.close().events("ABORT")
    assert [event["run"]["runId"] for event in events] == [inner, outer]
    assert {event["run"]["facets"]["wherefrom_end"]["reason"] for event in events} == {"killed"}
    assert datasets(events[0], "outputs")["x"]["digests"] == {"sha256": sha256("x")}


def test_a_failed_run_carries_its_error(recorder):
    run = recorder.begin()
    recorder.end(run, state="FAIL", reason="raised", exitCode=1, error={"message": "ValueError: no", "stackTrace": "…"})
    event = recorder.last()
    assert event["eventType"] == "FAIL"
    assert event["run"]["facets"]["errorMessage"]["message"] == "ValueError: no"
    assert event["run"]["facets"]["errorMessage"]["programmingLanguage"] == "python"


def test_a_run_inside_another_names_it_and_infers_what_it_may_have_used(recorder, root):
    (root / "in.txt").write_text("in")
    outer = recorder.begin(job="", kind="SCRIPT", process={"id": "1", "script": str(root / "train.py")})
    recorder.read(outer, root / "in.txt")
    inner = recorder.begin(job="train", enclosing=outer)
    recorder.write(inner, root / "model", "m")
    recorder.end(inner)
    recorder.end(outer)
    first, second = recorder.close().events("COMPLETE")
    parent = first["run"]["facets"]["parent"]
    assert (parent["run"]["runId"], parent["job"]["name"]) == (outer, "train.py")
    assert datasets(first, "inputs")["in.txt"]["known"] == "inferred"
    assert datasets(first, "inputs")["in.txt"]["digests"] == {"sha256": sha256("in")}
    assert datasets(second, "inputs")["in.txt"]["known"] == "observed"
    assert second["outputs"] == []


def test_a_run_of_another_process_is_named_as_parent(recorder):
    run = recorder.begin(parent={"run": "00000000-0000-4000-8000-00000000000a", "job": "flow.py"})
    recorder.end(run)
    assert recorder.last()["run"]["facets"]["parent"]["job"] == {"namespace": "test", "name": "flow.py"}


def test_sources_that_are_declared_are_recorded_with_the_digests_seen(make_recorder, root):
    recorder = make_recorder(Config(sources=(SourceRule(compile_pattern("raw"), {"licence": "CC0-1.0"}),)))
    (root / "raw").mkdir()
    (root / "raw" / "x").write_text("x")
    (root / "other").write_text("y")
    run = recorder.begin()
    recorder.read(run, root / "raw" / "x", root / "other")
    recorder.end(run)
    [source] = recorder.close().of("source")
    assert source == {"namespace": "test", "name": "raw/x", "licence": "CC0-1.0"}
    [statement] = [s for s in recorder.archive.statements if s.predicate == source]
    assert statement.subjects[0].digests == {"sha256": sha256("x")}


def test_metrics_logs_seeds_and_parameters(recorder):
    run = recorder.begin()
    recorder.say("metric", run, name="auc", value=0.5, step=1)
    recorder.say("metric", run, name="auc", value=float("nan"), step=None)
    recorder.say("log", run, level="INFO", logger="root", message="hello")
    recorder.say("log", run, dropped=3)
    recorder.say("seed", run, of="numpy", how="numpy.random.seed(1)")
    recorder.say("seed", run, of="numpy", how="numpy.random.seed(1)")
    recorder.say("param", run, values={"lr": "1"})
    recorder.say("param", run, values={"lr": "2"})
    recorder.end(run)
    facets = recorder.last()["run"]["facets"]
    assert [(m["name"], m["value"], m.get("step")) for m in facets["wherefrom_metrics"]["metrics"]] == [
        ("auc", 0.5, 1),
        ("auc", "nan", None),
    ]
    assert facets["wherefrom_logs"]["records"][0]["message"] == "hello"
    assert facets["wherefrom_logs"]["dropped"] == 3
    assert facets["wherefrom_environment"]["seeds"] == {"numpy": ["numpy.random.seed(1)"]}
    assert facets["executionParameters"]["parameters"] == [{"key": "lr", "value": "2"}]


def test_a_fit_with_what_it_was_fitted_on_and_the_file_it_was_dumped_into(recorder, root):
    table = np.arange(6.0).reshape(3, 2)
    run = recorder.begin()
    fit = {"estimator": "sklearn.X", "method": "fit", "parameters": {"C": "1"}}
    arguments = [{"argument": "X", "object": handover.give(table)}, {"argument": "y", "gap": "why not"}]
    recorder.say("fit", run, fit="1-1", arguments=arguments, **fit)
    recorder.say("refit", run, fit="1-1")
    recorder.write(run, root / "model", "m")
    recorder.say("dump", run, path=str(root / "model"), fits=["1-1", "?"], estimator="sklearn.X", parameters={})
    recorder.say("dump", run, path=str(root / "elsewhere"), fits=["1-1"], estimator="sklearn.X", parameters={})
    recorder.end(run)
    event = recorder.last()
    [recorded] = event["run"]["facets"]["wherefrom_fits"]["fits"]
    assert recorded["calls"] == 2
    [on] = recorded["fittedOn"]
    assert on["digests"] == dict([fingerprint_records(table).digest])
    assert (on["argument"], on["rows"], len(on["columns"])) == ("X", 3, 2)
    [output] = event["outputs"]
    assert output["facets"]["wherefrom_model"]["fits"] == [0]
    assert recorder.archive.gaps() == [("fit data not fingerprinted", None)]
    assert "argument y of fit 0, sklearn.X: why not" in recorder.archive.of("gap")[0]["detail"]


def test_what_is_no_file(recorder):
    run = recorder.begin()
    recorder.say("name", run, name="s3://bucket/key", way="read", via="polars", known="observed")
    recorder.say("name", run, name="s3://bucket/out", way="write", via="polars", known="observed")
    table = {"argument": {"object": handover.give(np.eye(2))}}
    recorder.say("object", run, name="sample", way="read", via="log_input", **table)
    recorder.end(run)
    event = recorder.last()
    assert [(d["namespace"], d["name"]) for d in event["inputs"]] == [("s3://bucket", "key"), ("test", "sample")]
    assert datasets(event, "inputs")["sample"]["known"] == "declared"
    assert datasets(event, "inputs")["sample"]["rows"] == 2
    assert [(d["namespace"], d["name"]) for d in event["outputs"]] == [("s3://bucket", "out")]


def test_other_programs_are_gaps_unless_they_were_captured_themselves(recorder, root):
    run = recorder.begin()
    (root / ".wherefrom" / "outbox").mkdir(parents=True)
    for argv in (["curl", "-O", "a b"], ["python", "child.py"], ["curl", "-O", "a b"]):
        recorder.say("child", run, argv=argv)
    child = {"id": "2", "script": None, "command": ["python", "child.py"]}
    inner = recorder.begin(job="child", process=child, parent={"run": run, "job": "job"})
    recorder.end(inner)
    recorder.end(run)
    assert recorder.close().gaps() == [("child process", None)]
    assert "started `curl -O 'a b'`" in recorder.archive.of("gap")[0]["detail"]
    assert list((root / ".wherefrom" / "outbox").iterdir()) == []


@pytest.mark.parametrize(
    ("said", "code", "expected"),
    [
        ({"state": "COMPLETE", "reason": "returned"}, 0, ("COMPLETE", "returned", 0)),
        ({"state": "COMPLETE", "reason": "returned"}, 3, ("FAIL", "exited", 3)),
        ({"state": "FAIL", "reason": "raised"}, 1, ("FAIL", "raised", 1)),
        (None, 0, ("COMPLETE", "exited", 0)),
        (None, 5, ("FAIL", "exited", 5)),
        (None, 137, ("ABORT", "killed", 137)),
    ],
)
def test_the_launcher_knows_how_its_process_ended(recorder, said, code, expected):
    run = recorder.begin(is_launched=True)
    if said:
        recorder.end(run, **said)
    launcher = {"process": {"argv": ["python"]}, "parent": None, "started": 1}
    recorder.say("launched", run, code=code, **launcher)
    event = recorder.last()
    end = event["run"]["facets"]["wherefrom_end"]
    assert (event["eventType"], end["reason"], end["exitCode"]) == expected


def test_a_launcher_that_died_leaves_what_the_process_said(recorder):
    run = recorder.begin(is_launched=True)
    recorder.end(run)
    assert recorder.last()["eventType"] == "COMPLETE"


def test_a_launched_program_that_did_not_report_itself_is_a_command_with_a_gap(recorder):
    launcher = {"process": {"id": "9", "argv": ["make", "all"], "script": None}, "parent": None, "started": 10**18}
    recorder.say("launched", "00000000-0000-4000-8000-00000000000b", code=2, **launcher)
    event = recorder.last()
    assert (event["eventType"], event["job"]["name"]) == ("FAIL", "make")
    assert event["job"]["facets"]["jobType"]["jobType"] == "COMMAND"
    assert recorder.archive.gaps() == [("command not captured", None)]


def test_messages_after_the_end_and_of_unknown_runs_or_kinds_are_passed_over(recorder, root):
    run = recorder.begin()
    recorder.end(run)
    recorder.say("param", run, values={"late": "1"})
    recorder.say("param", "unknown", values={"x": "1"})
    recorder.say("dance", run)
    assert "executionParameters" not in recorder.last()["run"]["facets"]


def test_a_message_that_can_not_be_handled_is_a_gap_of_its_run(recorder):
    run, other = recorder.begin(), recorder.begin(job="other")
    recorder.book.note_problem("bad", {"run": run})
    recorder.end(run)
    recorder.end(other)
    recorder.close()
    assert [gap["runId"] for gap in recorder.archive.of("gap")] == [run]


def test_a_wrong_configuration_is_a_gap_and_no_data_is_looked_at(make_recorder, root):
    recorder = make_recorder(nothing(), "wherefrom.toml: broken")
    (root / "x.csv").write_text("x")
    run = recorder.begin()
    recorder.read(run, root / "x.csv")
    recorder.end(run)
    assert recorder.last()["inputs"] == []
    assert recorder.archive.gaps() == [("configuration", None)]


@pytest.mark.parametrize(
    "error", [UnavailableError("clock is behind"), FormatError("newer"), OSError("disk"), KeyError("x")]
)
def test_what_the_archive_refuses_is_kept_in_the_outbox(recorder, root, error, capfd):
    (root / ".wherefrom").mkdir()
    recorder.archive.refusal = error
    run = recorder.begin()
    recorder.end(run)
    recorder.close()
    [kept] = (root / ".wherefrom" / "outbox").glob("*.statements")
    assert len(kept.read_bytes().splitlines()) == 2
    said = capfd.readouterr().err
    assert said.count("warning") == 1
    assert str(error) in said and str(kept) in said


def test_when_the_outbox_can_not_be_written_either_that_is_said_once(recorder, root, capfd):
    (root / ".wherefrom").write_text("a file")
    recorder.archive.refusal = UnavailableError("read-only")
    for _ in range(2):
        recorder.end(recorder.begin())
    recorder.close()
    said = capfd.readouterr().err
    assert said.count("this run is not recorded: read-only; and can't write") == 1
    assert said.count("warning") == 1


def test_changes_after_the_process_is_gone_are_gaps(recorder, root):
    run = recorder.begin()
    recorder.write(run, root / "x.db", "x")
    recorder.write(run, root / "y.db", "y")
    recorder.end(run)
    recorder.close()
    with (root / "x.db").open("a") as file:
        file.write("more")
    os.utime(root / "y.db")
    recorder.book.note_late_changes()
    assert recorder.archive.gaps() == [("changed after the end", "x.db"), ("changed after the end", "y.db")]
