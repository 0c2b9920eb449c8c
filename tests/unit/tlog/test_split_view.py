"""Evidence of a split view: true for a log that lied, and for nobody else."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiled_logs import KEY, flip, make_log, sign

from wherefrom.errors import FormatError
from wherefrom.merkle import EMPTY_ROOT, prove_consistency_from_tiles, root_from_tiles
from wherefrom.notes import (
    Checkpoint,
    SigningKey,
    TrustedLog,
    TrustPolicy,
    open_checkpoint,
    parse_policy,
    sign_checkpoint,
)
from wherefrom.tlog.source import MemorySource
from wherefrom.tlog.split_view import SplitView, format_split_view, make_split_view, parse_split_view, verify_split_view
from wherefrom.tlog.verified import VerifiedLog
from wherefrom.verify import Outcome

POLICY = TrustPolicy((TrustedLog(KEY.verifier_key),))
VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "tlog" / "split-views.json").read_text())


def reader(log):
    return VerifiedLog(MemorySource(log), open_checkpoint(log["checkpoint"], [KEY.verifier_key])).read


def evidence(size, other_size, fork_at):
    """The log of `size` as seen first, and one of `other_size` that differs from entry `fork_at` on."""
    seen, other = make_log(size), make_log(other_size, fork_at=fork_at)
    larger = seen if size > other_size else other
    return make_split_view(seen["checkpoint"], other["checkpoint"], reader(larger))


def outcome(view, policy=POLICY):
    return verify_split_view(view if isinstance(view, bytes) else format_split_view(view), policy).outcome


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["desc"])
def test_vectors(case):
    found = verify_split_view(case["evidence"].encode(), parse_policy(case["policy"].encode()))
    assert found.outcome.value == case["want"]


@pytest.mark.parametrize(
    ("size", "other_size", "fork_at"),
    [(1, 1, 0), (600, 600, 3), (600, 777, 599), (777, 600, 0), (256, 512, 255), (2, 3, 0), (600, 601, 512)],
)
def test_two_histories_are_proven_at_one_size_and_at_two(size, other_size, fork_at):
    view = evidence(size, other_size, fork_at)
    assert outcome(view) is Outcome.TRUE
    assert parse_split_view(format_split_view(view)) == view
    assert (view.root is None) == (size == other_size)


def test_evidence_changed_in_any_byte_does_not_hold():
    for view in (evidence(5, 5, 3), evidence(5, 7, 3)):
        data = format_split_view(view)
        for position in range(len(data)):
            assert outcome(flip(data, position, position % 7)) is not Outcome.TRUE, position
        for length in range(0, len(data), 5):
            assert outcome(data[:length]) is not Outcome.TRUE


@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_an_honest_log_is_never_convicted(one, other, data):
    """Whatever is claimed to be the root, and whatever hashes come with it."""
    small, large = sorted((one, other))
    old, new = make_log(small), make_log(large)
    read = reader(new)
    proof = prove_consistency_from_tiles(small, large, read)
    root = root_from_tiles(small, read)
    if small == large:
        view = SplitView(old["checkpoint"], new["checkpoint"])
    else:
        proof = [flip(h, data.draw(st.integers(0, 31))) if data.draw(st.booleans()) else h for h in proof]
        root = data.draw(st.sampled_from([root, flip(root, 5), EMPTY_ROOT, *proof]))
        view = SplitView(old["checkpoint"], new["checkpoint"], root, tuple(proof))
    assert outcome(view) is Outcome.FALSE


def test_only_the_word_of_one_trusted_log_counts():
    view = evidence(5, 5, 3)
    stranger = SigningKey("example.com/stranger", bytes(32))
    assert outcome(view, TrustPolicy((TrustedLog(stranger.verifier_key),))) is Outcome.UNCHECKED
    impostor = SigningKey(KEY.name, b"\x07" * 32)
    assert outcome(view, TrustPolicy((TrustedLog(impostor.verifier_key),))) is Outcome.UNCHECKED
    # One checkpoint by each of two trusted logs contradicts nothing.
    theirs = sign(5, bytes(32), stranger)
    both = TrustPolicy((TrustedLog(KEY.verifier_key), TrustedLog(stranger.verifier_key)))
    notes = sorted((view.smaller, theirs), key=lambda note: note.split(b"\n")[2])
    for order in (notes, notes[::-1]):
        assert outcome(SplitView(*order), both) is not Outcome.TRUE
    forged = flip(view.larger, len(view.larger) - 30, 1)
    assert outcome(SplitView(view.smaller, forged)) is not Outcome.TRUE


def test_what_does_not_contradict_is_false():
    old, new = make_log(5), make_log(7)
    honest = make_split_view(old["checkpoint"], new["checkpoint"], reader(new))
    assert outcome(honest) is Outcome.FALSE
    assert outcome(SplitView(old["checkpoint"], old["checkpoint"])) is Outcome.FALSE
    again = sign_checkpoint(Checkpoint(KEY.name, 5, open_checkpoint(old["checkpoint"], [KEY.verifier_key]).root), KEY)
    assert outcome(SplitView(old["checkpoint"], again)) is Outcome.FALSE
    empty = make_log(0)["checkpoint"]
    assert outcome(SplitView(empty, new["checkpoint"], bytes(32))) is Outcome.FALSE


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_evidence_or_refused(data):
    with pytest.raises(FormatError):
        parse_split_view(data)
    assert outcome(data) is Outcome.UNCHECKED


def test_only_one_spelling_is_read():
    data = format_split_view(evidence(5, 7, 3))
    value = json.loads(data)
    for changed in (
        data[:-1],
        data + b"\n",
        json.dumps(value).encode() + b"\n",
        format_json(value | {"extra": 1}),
        format_json(value | {"smaller": value["larger"], "larger": value["smaller"]}),
        format_json({key: item for key, item in value.items() if key != "root"}),
        format_json(value | {"proof": [value["root"]] * 65}),
        format_json(value | {"proof": [value["root"].upper()]}),
        format_json(value | {"type": "wherefrom-split-view-2"}),
    ):
        with pytest.raises(FormatError):
            parse_split_view(changed)


def format_json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
