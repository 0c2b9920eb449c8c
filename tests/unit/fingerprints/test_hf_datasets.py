import datasets
import pyarrow as pa
import pytest

from wherefrom.errors import FormatError, UnavailableError
from wherefrom.fingerprints import fingerprint_records
from wherefrom.fingerprints.sources import open_table

COLUMNS = {"id": [3, 1, 2], "text": ["c", "a", None], "scores": [[0.5], [], None]}
TABLE = pa.table(COLUMNS)


def same(*sources):
    return len({fingerprint_records(source).id for source in sources}) == 1


def examples():
    yield from TABLE.to_pylist()


@pytest.fixture
def dataset():
    return datasets.Dataset.from_dict(COLUMNS, split="train")


def test_data_sets_are_the_tables_they_hold(dataset):
    assert same(dataset, dataset.to_iterable_dataset(), dataset.with_format("numpy"), TABLE)
    assert open_table(dataset).rows == 3
    assert not same(dataset, dataset.select([0, 1]))


def test_selected_and_shuffled_rows_are_those_that_count(dataset):
    assert same(dataset.shuffle(seed=1), TABLE)
    assert same(dataset.select([2, 0]), TABLE.take([0, 2]))
    assert same(dataset.filter(lambda row: row["id"] > 1, keep_in_memory=True), TABLE.take([0, 2]))


def test_examples_without_features_are_python_objects_of_one_type():
    lazy = datasets.IterableDataset.from_generator(examples)
    assert lazy.features is None
    assert same(lazy, lazy.map(lambda row: row), TABLE)
    mixed = datasets.IterableDataset.from_generator(lambda: iter([{"a": 1}, {"a": "x"}]))
    with pytest.raises(FormatError, match="column 'a': holds Python objects of types int, str, expected one type"):
        fingerprint_records(mixed)


def test_nan_is_a_value_and_none_is_missing():
    lazy = datasets.IterableDataset.from_generator(lambda: iter([{"a": float("nan")}, {"a": None}]))
    assert same(lazy, datasets.Dataset.from_dict({"a": [float("nan"), None]}), pa.table({"a": [float("nan"), None]}))
    assert not same(lazy, pa.table({"a": pa.nulls(2)}))


def test_tensors_labels_and_empty_data_sets_are_tables(dataset):
    features = datasets.Features(
        {"grid": datasets.Array2D((2, 2), "int8"), "label": datasets.ClassLabel(names=["no", "yes"])}
    )
    source = datasets.Dataset.from_dict({"grid": [[[1, 2], [3, 4]]], "label": ["yes"]}, features=features)
    assert same(source, pa.table({"grid": [[[1, 2], [3, 4]]], "label": [1]}))
    assert same(dataset.select([]), TABLE.slice(0, 0))


def test_what_is_known_of_the_data_set_stands_beside(dataset):
    dataset.info.dataset_name, dataset.info.config_name, dataset.info.version = "squad", "plain", "1.0.0"
    assert fingerprint_records(dataset).read_options == {
        "format": "datasets",
        "name": "squad",
        "config": "plain",
        "revision": "1.0.0",
        "split": "train",
    }


def test_several_splits_are_refused_with_a_hint(dataset):
    with pytest.raises(FormatError, match=r"a DatasetDict holds several tables \('train', 'test'\)") as caught:
        fingerprint_records(datasets.DatasetDict({"train": dataset, "test": dataset}))
    assert "source['train']" in caught.value.hint


def images(values):
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    info = datasets.DatasetInfo(features=datasets.Features({"image": datasets.Image()}))
    return datasets.Dataset(pa.table({"image": pa.array(values, kind)}), info=info)


def test_images_are_their_bytes_and_never_only_the_path_of_a_file():
    inside = [{"bytes": b"x", "path": None}, None]
    assert same(images(inside), pa.table({"image": inside}))
    with pytest.raises(FormatError, match="column 'image' holds paths of files") as caught:
        fingerprint_records(images([*inside, {"bytes": None, "path": "/x.png"}]))
    assert "embed_table_storage" in caught.value.hint


def test_a_data_set_that_can_not_be_run_says_so():
    def fail():
        yield {"a": 1}
        raise KeyError("boom")

    with pytest.raises(UnavailableError, match="the data set could not be run: KeyError: 'boom'"):
        fingerprint_records(datasets.IterableDataset.from_generator(fail))
