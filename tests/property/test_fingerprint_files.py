"""Laws of `wf-files-1`, over random trees of files."""

import os
import tempfile
import time
from pathlib import Path
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reference import wf_files, wf_records

from wherefrom.fingerprints import StatCache, fingerprint_entries, fingerprint_files, read_file_entries, stat_cache

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\x00"), min_size=1, max_size=6).filter(
    lambda name: name not in {".", ".."} and len(name.encode()) < 200
)
contents = st.binary(max_size=40)
trees = st.dictionaries(st.lists(names, min_size=1, max_size=3).map(tuple), contents, max_size=6).map(
    # A path can't be a file and a folder at once.
    lambda tree: {
        path: content
        for path, content in tree.items()
        if not any(other != path and other[: len(path)] == path for other in tree)
    }
)


def write(tree, folder):
    for path, content in tree.items():
        file = Path(folder, *path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


@given(trees)
@settings(deadline=None, max_examples=100)
def test_a_folder_agrees_with_the_reference(tree):
    with tempfile.TemporaryDirectory() as folder:
        write(tree, folder)
        fingerprint = fingerprint_files(folder)
        identity = wf_files.identity({"/".join(path).encode(): content for path, content in tree.items()})
        assert wf_files.identity(wf_files.files_below(folder)) == identity
        assert fingerprint.to_json() == identity
        assert fingerprint.id == wf_records.identifier(identity)
        assert fingerprint.sha256 is None
        assert fingerprint_entries(reversed(read_file_entries(folder))) == fingerprint


@given(trees.filter(bool), st.data())
@settings(deadline=None, max_examples=50)
def test_any_changed_added_dropped_or_renamed_file_is_another_fingerprint(tree, data):
    path = data.draw(st.sampled_from(sorted(tree)), label="path")
    with tempfile.TemporaryDirectory() as folder:
        write(tree, folder)
        original = fingerprint_files(folder)
        file = Path(folder, *path)

        file.write_bytes(tree[path] + b"!")
        assert fingerprint_files(folder).id != original.id
        file.write_bytes(tree[path])
        assert fingerprint_files(folder).id == original.id

        moved = file.with_name(data.draw(names.filter(lambda name: not file.with_name(name).exists()), label="name"))
        file.rename(moved)
        assert fingerprint_files(folder).id != original.id
        moved.unlink()
        assert fingerprint_files(folder).id != original.id


edits = st.lists(st.tuples(st.sampled_from(["write", "add", "drop", "rename", "touch"]), names, contents), max_size=4)


@given(trees.filter(bool), st.lists(edits, min_size=1, max_size=3), st.data())
@settings(deadline=None, max_examples=25)
def test_after_any_edits_the_cache_gives_what_reading_everything_gives(tree, rounds, data):
    # Longer than a tick of the file system's clock, so that files are old enough to be trusted in the next round.
    clearly_ns = 20_000_000
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(stat_cache, "_CLEARLY_NS", clearly_ns):
        top = Path(folder, "data")
        write(tree, top)
        cache = StatCache(Path(folder, "cache"))
        for steps in [[], *rounds]:
            for kind, name, content in steps:
                files = sorted(path for path in top.rglob("*") if path.is_file())
                path = data.draw(st.sampled_from(files), label="file") if files else top / "none"
                if kind == "add" and not (top / name).exists():
                    (top / name).write_bytes(content)
                elif files and kind == "write":
                    path.write_bytes(content)
                elif files and kind == "drop":
                    path.unlink()
                elif files and kind == "touch":
                    os.utime(path, ns=(0, 0))
                elif files and kind == "rename" and not path.with_name(name).exists():
                    path.rename(path.with_name(name))
            for _ in range(2):
                time.sleep(1.5 * clearly_ns / 1e9)
                assert fingerprint_files(top, cache=cache) == fingerprint_files(top)
                assert read_file_entries(top, cache=cache) == read_file_entries(top)
        assert cache.problem is None
