"""scikit-learn for real: what was fitted, on what, and into which file it went."""

import subprocess
import sys
import textwrap

import pytest
from sklearn.datasets import load_iris

from wherefrom.archive import Archive
from wherefrom.fingerprints import fingerprint_records

HEAD = """
import wherefrom
wherefrom.autolog()
import joblib, numpy as np, pandas as pd, pickle
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
X, y = load_iris(return_X_y=True, as_frame=True)
"""


@pytest.fixture
def root(tmp_path):
    folder = tmp_path.resolve() / "project"
    folder.mkdir()
    Archive.init(folder, namespace="test").close()
    return folder


def run(root, text, head=HEAD):
    (root / "script.py").write_text(head + textwrap.dedent(text))
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=root, check=False, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    archive = Archive.find(root)
    [recorded] = archive.list_runs(10)
    event = archive.read_recorded(str(recorded.entries[-1])).statement.predicate
    archive.close()
    fits = recorded.facets.get("wherefrom_fits", {}).get("fits", [])
    models = {d["name"]: d["facets"].get("wherefrom_model") for d in event["outputs"]}
    return fits, models, [(gap["what"], gap["detail"]) for gap in recorded.gaps]


def short(fits):
    return [(fit["estimator"].rpartition(".")[2], fit["method"]) for fit in fits]


def test_a_fit_with_its_parameters_and_the_rows_it_was_fitted_on(root):
    fits, models, gaps = run(
        root,
        """
        model = RandomForestClassifier(n_estimators=3, random_state=7).fit(X, y)
        joblib.dump(model, "model.joblib")
        """,
    )
    [fit] = fits
    assert fit["estimator"] == "sklearn.ensemble._forest.RandomForestClassifier"
    assert fit["parameters"]["n_estimators"] == "3"
    assert fit["parameters"]["random_state"] == "7"
    X, y = load_iris(return_X_y=True, as_frame=True)  # noqa: N806 - scikit-learn's own names
    on = {item["argument"]: item for item in fit["fittedOn"]}
    assert on["X"]["digests"] == dict([fingerprint_records(X).digest])
    assert on["y"]["digests"] == dict([fingerprint_records(y).digest])
    assert (on["X"]["rows"], on["X"]["columns"]) == (150, sorted(X.columns))
    assert models["model.joblib"]["fits"] == [0]
    assert models["model.joblib"]["estimator"] == fit["estimator"]
    assert gaps == []


def test_what_a_pipeline_or_a_search_fits_inside_is_part_of_its_fit(root):
    fits, models, _ = run(
        root,
        """
        pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(X, y)
        search = GridSearchCV(SGDClassifier(), {"alpha": [0.01, 0.1]}, cv=2).fit(X.to_numpy(), y)
        scaled = StandardScaler().fit_transform(X)
        joblib.dump(pipeline, "pipeline.joblib")
        joblib.dump(search.best_estimator_, "best.joblib")
        """,
    )
    assert short(fits) == [("Pipeline", "fit"), ("GridSearchCV", "fit"), ("StandardScaler", "fit")]
    assert models["pipeline.joblib"]["fits"] == [0]
    assert models["best.joblib"]["fits"] == [1]


def test_which_estimators_went_into_which_file_however_it_was_written(root):
    fits, models, _ = run(
        root,
        """
        import os
        scaler = StandardScaler().fit(X)
        model = LogisticRegression(max_iter=500).fit(scaler.transform(X), y)
        joblib.dump({"scaler": scaler, "model": model, "names": list(X)}, "both.joblib")
        with open("model.pkl", "wb") as file:
            pickle.dump(model, file)
        joblib.dump(model, "tmp"); os.replace("tmp", "final.joblib")
        joblib.dump([1, 2], "plain.joblib")
        joblib.dump(LogisticRegression(), "unfitted.joblib")
        """,
    )
    assert short(fits) == [("StandardScaler", "fit"), ("LogisticRegression", "fit")]
    assert {name: model and model["fits"] for name, model in models.items()} == {
        "both.joblib": [0, 1],
        "model.pkl": [1],
        "final.joblib": [1],
        "plain.joblib": None,
        "unfitted.joblib": None,
    }


def test_estimators_of_the_users_own_and_fits_that_fail(root):
    fits, _, gaps = run(
        root,
        """
        class Mine(ClassifierMixin, BaseEstimator):
            def __init__(self, power=2): self.power = power
            def fit(self, X, y=None, *, weight=1): return self
        class Derived(Mine):
            def fit(self, X, y=None, **rest): return super().fit(X, y, **rest)
        Mine().fit(X=X, y=None)
        Derived(power=3).fit(X, weight=2)
        try:
            LogisticRegression().fit(X, None)
        except ValueError:
            pass
        import inspect
        assert list(inspect.signature(Mine.fit).parameters) == ["self", "X", "y", "weight"]
        model = pickle.loads(pickle.dumps(LogisticRegression(max_iter=500).fit(X, y)))
        assert model.predict(X).shape == (150,)
        """,
    )
    assert short(fits) == [
        ("Mine", "fit"),
        ("Derived", "fit"),
        ("LogisticRegression", "fit"),
        ("LogisticRegression", "fit"),
    ]
    assert fits[1]["parameters"] == {"power": "3"}
    assert gaps == []


def test_data_given_bit_by_bit_or_of_another_kind_is_a_gap(root):
    fits, _, gaps = run(
        root,
        """
        import scipy.sparse
        model = SGDClassifier()
        for part in range(3):
            model.partial_fit(X[part::3], y[part::3], classes=[0, 1, 2])
        LogisticRegression(max_iter=500).fit(scipy.sparse.csr_matrix(X.to_numpy()), list(y))
        """,
    )
    assert short(fits) == [("SGDClassifier", "partial_fit"), ("LogisticRegression", "fit")]
    assert fits[0]["calls"] == 3
    assert [fit["fittedOn"] for fit in fits] == [[], []]
    assert {what for what, _ in gaps} == {"fit data not fingerprinted"}
    assert len(gaps) == 4
    assert any("csr_matrix has no record fingerprint" in detail for _, detail in gaps)


def test_data_above_the_limit_is_a_gap(root):
    (root / "wherefrom.toml").write_text("[capture]\nfit_max_bytes = 2000\n")
    fits, _, gaps = run(root, "LogisticRegression(max_iter=500).fit(X, y)")
    assert [item["argument"] for item in fits[0]["fittedOn"]] == ["y"]
    [(what, detail)] = gaps
    assert what == "fit data not fingerprinted"
    assert "are more than fit_max_bytes, 2000" in detail


def test_estimators_that_were_imported_before_are_seen_as_well(root):
    head = HEAD.replace("wherefrom.autolog()\n", "") + "wherefrom.autolog()\n"
    fits, models, _ = run(
        root, "model = LogisticRegression(max_iter=500).fit(X, y); joblib.dump(model, 'model.joblib')", head=head
    )
    assert short(fits) == [("LogisticRegression", "fit")]
    assert models["model.joblib"]["fits"] == [0]


def test_frames_of_polars_and_arrays_and_changes_after_the_fit(root):
    fits, _, gaps = run(
        root,
        """
        import polars as pl
        LogisticRegression(max_iter=500).fit(pl.from_pandas(X), y.to_numpy())
        array = X.to_numpy().copy()
        LogisticRegression(max_iter=500).fit(array, y)
        array[:] = 0
        """,
    )
    assert gaps == []
    X, _y = load_iris(return_X_y=True, as_frame=True)  # noqa: N806
    frames = [item["digests"] for fit in fits for item in fit["fittedOn"] if item["argument"] == "X"]
    assert frames == [dict([fingerprint_records(table).digest]) for table in (X, X.to_numpy())]
