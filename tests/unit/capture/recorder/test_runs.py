from wherefrom.capture.recorder.contents import Gap
from wherefrom.capture.recorder.runs import End, Item, Run, infer_inputs


def make_run(name="run", *, enclosing=None, started=0):
    return Run(name, name, "RUN", started, {}, enclosing)


def item(path, *, at=0, known="observed", via="open", is_folder=False, name=""):
    return Item(path, via, known, at, name, is_folder)


def ended(run, at):
    run.end = End(at, "COMPLETE", "returned")
    return run


def test_what_the_run_wrote_itself_is_no_input_of_it():
    run = make_run()
    run.make(item("/a"))
    assert not run.use(item("/a"))
    assert run.use(item("/b"))
    assert list(run.inputs) == ["/b"]


def test_what_was_read_before_it_was_written_is_both():
    run = make_run()
    assert run.use(item("/a"))
    run.make(item("/a"))
    assert list(run.inputs) == list(run.outputs) == ["/a"]


def test_an_observation_counts_more_than_a_declaration_whichever_comes_first():
    for order in ((("declared", "log_input"), ("observed", "open")), (("observed", "open"), ("declared", "log_input"))):
        run = make_run()
        for known, via in order:
            run.use(item("/a", known=known, via=via))
            run.make(item("/b", known=known, via=via))
        assert (run.inputs["/a"].known, run.inputs["/a"].via) == ("observed", "open")
        assert (run.outputs["/b"].known, run.outputs["/b"].via) == ("observed", "open")


def test_files_of_a_folder_that_is_one_data_set_are_not_data_sets_of_their_own():
    run = make_run()
    run.use(item("/folder", is_folder=True))
    assert not run.use(item("/folder/deep/a.parquet"))
    assert run.use(item("/folder-b/a.parquet"))
    run.make(item("/out", is_folder=True))
    assert not run.use(item("/out/a.parquet"))
    assert run.has_made("/out/x") and not run.has_made("/other")


def test_a_renamed_output_has_its_new_name_and_keeps_what_is_known_of_it():
    run = make_run()
    run.make(item("/new-1", via="joblib.dump"))
    run.outputs["/new-1"].model = {"estimator": "x"}
    run.make(item("/final"))
    assert run.rename("/new-1", "/final")
    assert list(run.outputs) == ["/final"]
    assert run.outputs["/final"].path == "/final"
    assert run.outputs["/final"].model == {"estimator": "x"}
    assert not run.rename("/unknown", "/x")


def test_files_made_in_a_folder_that_is_made_as_a_whole_are_not_data_sets_of_their_own():
    run = make_run()
    run.make(item("/data/out/state.json"))
    run.make(item("/data/outer.json"))
    run.make(item("/data/out", via="datasets.Dataset.save_to_disk", is_folder=True))
    run.make(item("/data/out/part.arrow"))
    run.make(item("/data/out/model.joblib", via="joblib.dump"))
    assert [item.path for item in run.data_made()] == ["/data/outer.json", "/data/out", "/data/out/model.joblib"]
    assert run.has_made("/data/out/part.arrow")


def test_renaming_a_folder_moves_what_was_written_in_it():
    run = make_run()
    run.make(item("/new/a"))
    run.make(item("/new/deep/b"))
    run.make(item("/new-other"))
    assert run.rename("/new", "/final")
    assert sorted(run.outputs) == ["/final/a", "/final/deep/b", "/new-other"]


def test_removed_outputs_are_none_and_removed_inputs_stay():
    run = make_run()
    for path in ("/new/a", "/new/b", "/newx"):
        run.make(item(path))
    run.use(item("/in"))
    run.remove("/new")
    run.remove("/in")
    assert list(run.outputs) == ["/newx"]
    assert list(run.inputs) == ["/in"]


def test_a_gap_is_noted_once_and_not_without_end():
    run = make_run()
    for _ in range(2):
        run.add_gap(Gap("child process", "x"))
    run.add_gap(Gap("child process", "x"), "/a")
    assert len(run.gaps) == 2
    for number in range(1000):
        run.add_gap(Gap("not hashed", str(number)))
    assert len(run.gaps) == 200
    assert run.gaps_dropped == 1002 - 200


def test_a_run_inside_another_may_have_used_what_that_one_had_read_before():
    outer = make_run("outer")
    outer.use(item("/before", at=1))
    inner = make_run("inner", enclosing=outer, started=2)
    outer.use(item("/after", at=3))
    assert [found.path for found in infer_inputs(inner, [outer, inner])] == ["/before"]
    inner.use(item("/before", at=2))
    assert infer_inputs(inner, [outer, inner]) == []


def test_a_run_around_others_used_what_they_read_only_if_it_wrote_afterwards():
    outer = make_run("outer")
    inner = ended(make_run("inner", enclosing=outer, started=1), 3)
    inner.use(item("/x", at=2))
    runs = [outer, inner]
    assert infer_inputs(outer, runs) == []
    outer.make(item("/early", at=2))
    assert infer_inputs(outer, [outer, inner]) == [inner.inputs["/x"]]  # it read nothing else: see the next test
    outer.use(item("/own", at=1))
    assert infer_inputs(outer, runs) == []
    outer.make(item("/summary", at=4))
    assert [found.path for found in infer_inputs(outer, runs)] == ["/x"]


def test_runs_beside_each_other_share_nothing_unless_one_has_no_input_at_all():
    outer = make_run("outer")
    first = ended(make_run("first", enclosing=outer, started=1), 2)
    first.use(item("/customer-1", at=1))
    second = make_run("second", enclosing=outer, started=3)
    second.make(item("/model-2", at=5))
    runs = [outer, first, second]
    assert [found.path for found in infer_inputs(second, runs)] == ["/customer-1"]
    second.use(item("/customer-2", at=4))
    assert infer_inputs(second, runs) == []


def test_a_run_that_wrote_nothing_and_read_nothing_used_nothing():
    outer = make_run("outer")
    first = ended(make_run("first", enclosing=outer, started=1), 2)
    first.use(item("/a", at=1))
    assert infer_inputs(make_run("second", enclosing=outer, started=3), [outer, first]) == []
