import json
from pathlib import Path

import pytest

from wherefrom.errors import FormatError
from wherefrom.merkle import format_entries_path, format_tile_path, parse_entries_path, parse_tile_path

VECTORS = Path(__file__).parents[2] / "vectors" / "merkle"
TILES = json.loads((VECTORS / "tile-paths.json").read_text())["cases"]
ENTRIES = json.loads((VECTORS / "entries-paths.json").read_text())["cases"]
C2SP = json.loads((VECTORS / "c2sp-tiles.json").read_text())


@pytest.mark.parametrize("case", TILES, ids=lambda case: case["desc"])
def test_a_tile_path_has_one_spelling(case):
    if isinstance(case["want"], list):
        assert list(parse_tile_path(case["path"])) == case["want"]
        assert format_tile_path(*case["want"]) == case["path"]
    else:
        with pytest.raises(FormatError) as caught:
            parse_tile_path(case["path"])
        assert case["want"]["says"] in str(caught.value)


@pytest.mark.parametrize("case", ENTRIES, ids=lambda case: case["desc"])
def test_an_entries_path_has_one_spelling(case):
    if isinstance(case["want"], list):
        assert list(parse_entries_path(case["path"])) == case["want"]
        assert format_entries_path(*case["want"]) == case["path"]
    else:
        with pytest.raises(FormatError) as caught:
            parse_entries_path(case["path"])
        assert case["want"]["says"] in str(caught.value)


def test_the_index_of_the_specification_is_written_as_there():
    for case in C2SP["tile_index_encoding"]:
        assert format_tile_path(0, case["n"]) == f"tile/0/{case['path']}"


@pytest.mark.parametrize(("path", "fields"), C2SP["go_sumdb_tile_paths"]["good"])
def test_go_writes_the_same_indexes_behind_its_tile_height(path, fields):
    _, level, index, _ = fields
    ours = format_tile_path(level, index) if level >= 0 else format_entries_path(index)
    prefix, _, rest = path.partition("/data/" if level < 0 else f"/{level}/")
    assert prefix.startswith("tile/")
    assert ours.endswith("/" + rest.partition(".p/")[0])


@pytest.mark.parametrize(
    ("level", "index", "width", "says"),
    [
        (-1, 0, 256, "tile level -1 is not between 0 and 63"),
        (64, 0, 256, "tile level 64 is not between 0 and 63"),
        (0, -1, 256, "tile index -1 is not between 0 and 9223372036854775807"),
        (0, 2**63, 256, "tile index 9223372036854775808 is not between"),
        (0, 0, 0, "tile width 0 is not between 1 and 256"),
        (0, 0, 257, "tile width 257 is not between 1 and 256"),
    ],
)
def test_no_path_is_made_of_values_out_of_range(level, index, width, says):
    with pytest.raises(FormatError, match=says):
        format_tile_path(level, index, width)
    if level == 0:
        with pytest.raises(FormatError, match=says):
            format_entries_path(index, width)
