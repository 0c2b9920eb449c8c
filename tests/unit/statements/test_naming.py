"""Names of data sets, spelled one way."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherefrom.statements import CanonicalName, canonical_name

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "lineage" / "naming.json").read_text())["cases"]

schemes = st.sampled_from(["s3", "s3a", "S3N", "file", "FILE", "hdfs", "wasb", "abfss", "postgresql", "kafka", "x", ""])
places = st.sampled_from(["", "b", "B/", "h:1", "h,i", "c@A.blob.core.windows.net", "localhost", "b/w", "//", "[::1]"])
paths = st.lists(
    st.sampled_from(["", "/", "//", "a", "dt=1", "k=", "file:", "file:///", "s3a://b", ".", "="]), max_size=6
)


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: f"{case['namespace']} {case['name']}")
def test_a_name_is_spelled_one_way_for_a_reason_or_stays(case):
    found = canonical_name(case["namespace"], case["name"])
    assert found == CanonicalName(*case["want"], tuple(case["reasons"]))
    assert bool(found.reasons) == ([case["namespace"], case["name"]] != case["want"])


@given(schemes, st.sampled_from(["://", ":", ":/", ""]), places, paths.map("/".join))
def test_a_canonical_name_stays_as_it_is_and_has_no_reasons(scheme, colon, place, path):
    found = canonical_name(scheme + colon + place, path)
    assert canonical_name(found.namespace, found.name) == CanonicalName(found.namespace, found.name)


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_two_texts_have_a_canonical_name(namespace, name):
    found = canonical_name(namespace, name)
    assert (found.reasons == ()) == ((found.namespace, found.name) == (namespace, name))


def test_a_long_name_is_read_as_a_short_one_is():
    path = "/x" * 5_000_000
    assert canonical_name("s3a://b", f"{path}/dt=1").name == path[1:]
