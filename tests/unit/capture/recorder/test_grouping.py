import pytest

from wherefrom.capture.recorder import grouping
from wherefrom.capture.recorder.contents import Content, Gap
from wherefrom.capture.recorder.grouping import group
from wherefrom.capture.recorder.runs import Item
from wherefrom.fingerprints import fingerprint_files


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(grouping, "MAX_ITEMS", 4)


def pairs_of(root, *paths, text="x"):
    pairs = []
    for number, path in enumerate(paths):
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + path)
        content = Content({"sha256": fingerprint_files(file).sha256}, file.stat().st_size, 1)
        pairs.append((Item(str(file), "open", "observed", number), content))
    return pairs


def paths(pairs, root):
    return [item.path.removeprefix(f"{root}/") for item, _ in pairs]


def test_a_few_files_stay_files(tmp_path):
    pairs = pairs_of(tmp_path, "a/1", "a/2", "a/3", "b")
    assert group(pairs) == pairs


def test_many_files_become_the_folder_they_lie_in_with_the_folders_own_digest(tmp_path):
    pairs = pairs_of(tmp_path, *(f"images/{n}.png" for n in range(10)), "labels.csv")
    grouped = group(pairs)
    assert sorted(paths(grouped, tmp_path)) == ["images", "labels.csv"]
    [(item, content)] = [pair for pair in grouped if pair[0].is_folder]
    fingerprint = fingerprint_files(tmp_path / "images")
    assert content.digests == dict([fingerprint.digest])
    assert (content.files, content.total_bytes, content.gaps) == (10, fingerprint.total_bytes, ())
    assert item.at_ns == 0


def test_many_folders_become_the_one_above_them(tmp_path):
    pairs = pairs_of(tmp_path, *(f"train/class-{c}/{n}" for c in range(6) for n in range(2)))
    [(item, content)] = group(pairs)
    assert paths([(item, content)], tmp_path) == ["train"]
    assert content.digests == dict([fingerprint_files(tmp_path / "train").digest])


def test_a_part_of_a_folder_says_so(tmp_path):
    pairs = pairs_of(tmp_path, *(f"images/{n}" for n in range(10)))
    (tmp_path / "images" / "unread").touch()
    [(_, content)] = group(pairs)
    assert content.gaps == (Gap("part of a folder", "10 of its 11 files; the digest is of these"),)


def test_what_is_no_single_file_stays(tmp_path):
    table = (Item("", "log_input", "declared", 0, "sample"), Content())
    unknown = (Item(str(tmp_path / "images" / "gone"), "open", "observed", 0), Content(gaps=(Gap("not hashed", "x"),)))
    model = (
        Item(str(tmp_path / "images" / "m"), "open", "observed", 0, model={"fits": [0]}),
        Content({"sha256": "0" * 64}, 1),
    )
    pairs = [table, unknown, model, *pairs_of(tmp_path, *(f"images/{n}" for n in range(10)))]
    grouped = group(pairs)
    assert grouped[:3] == [table, unknown, model]
    assert len(grouped) == 4


def test_files_that_have_no_folder_in_common_below_the_root_stay(tmp_path):
    pairs = [(Item(f"/{n}", "open", "observed", n), Content({"sha256": "0" * 64}, 1)) for n in range(10)]
    assert group(pairs) == pairs
