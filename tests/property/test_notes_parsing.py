"""Every parser of notes takes any bytes: it gives a value with one spelling, or one of our errors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherefrom.errors import FormatError, SignatureError, WherefromError
from wherefrom.merkle import EMPTY_ROOT
from wherefrom.notes import (
    MAX_SIZE,
    Checkpoint,
    Note,
    NoteSignature,
    SigningKey,
    TrustedLog,
    TrustedWitness,
    TrustPolicy,
    WitnessGroup,
    format_checkpoint,
    format_note,
    format_policy,
    format_signing_key,
    format_verifier_key,
    is_key_name,
    open_checkpoint,
    open_note,
    open_trusted,
    parse_checkpoint,
    parse_note,
    parse_policy,
    parse_signing_key,
    parse_verifier_key,
    sign_checkpoint,
    sign_note,
    verify_line,
)

KEY = SigningKey("example.com/log", bytes(range(32)))
OTHER = SigningKey("example.com/other", bytes(range(1, 33)))
WITNESSES = [SigningKey("witness.example", bytes(range(2, 34)), key_type) for key_type in (4, 6)]
KNOWN = [key.verifier_key for key in (KEY, OTHER, *WITNESSES)]

names = st.text(min_size=1, max_size=20).filter(is_key_name)
seeds = st.binary(min_size=32, max_size=32)
keys = st.builds(SigningKey, names, seeds)
any_keys = st.builds(SigningKey, names, seeds, st.sampled_from([1, 4, 6]))
lines = st.text(st.characters(exclude_characters="".join(map(chr, range(32))), exclude_categories=["Cs"]), min_size=1)
texts = st.lists(lines | st.just(""), min_size=1).map(lambda parts: "".join(f"{part}\n" for part in parts))
sizes = st.integers(1, 100) | st.integers(1, MAX_SIZE)
checkpoints = st.builds(
    Checkpoint, lines, sizes, st.binary(min_size=32, max_size=32), st.lists(lines, max_size=3).map(tuple)
) | st.builds(Checkpoint, lines, st.just(0), st.just(EMPTY_ROOT))
signatures = st.builds(NoteSignature, names, st.integers(0, 2**32 - 1), st.binary(min_size=1, max_size=100))

CHECKPOINT = Checkpoint("example.com/log", 12, bytes(range(32)))
VALID = [
    sign_note("text\n\nmore\n", KEY, OTHER),
    sign_checkpoint(CHECKPOINT, KEY),
    format_checkpoint(CHECKPOINT).encode(),
    format_verifier_key(KEY.verifier_key).encode(),
    sign_checkpoint(CHECKPOINT, KEY, *WITNESSES, time_s=1_700_000_000),
    *(format_verifier_key(key.verifier_key).encode() for key in WITNESSES),
    *(format_signing_key(key).encode() for key in WITNESSES),
    format_signing_key(KEY).encode(),
    format_policy(TrustPolicy((TrustedLog(KEY.verifier_key, b"https://log.example/"),))),
    format_policy(
        TrustPolicy(
            (TrustedLog(KEY.verifier_key),),
            tuple(TrustedWitness(b"W%d" % i, key.verifier_key) for i, key in enumerate(WITNESSES)),
            (WitnessGroup(b"G", 1, (b"W0", b"W1")),),
            b"G",
        )
    ),
]
SNIPPETS = [
    b"\n",
    b"\n\n",
    " — ".encode(),
    b" ",
    b"+",
    b"=",
    b"0",
    b"\xff",
    b"\0",
    b"\t",
    b"quorum none\n",
    b"none",
    "٣".encode(),
]


@st.composite
def mutated(draw):
    """A valid input with a few splices: bytes cut out, changed, repeated, or snippets of the grammar put in."""
    data = draw(st.sampled_from(VALID))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 8)))
        middle = draw(st.sampled_from([*SNIPPETS, data[start:end] * 2]) | st.binary(max_size=3))
        data = data[:start] + middle + data[end:]
    return data


any_input = st.binary(max_size=300) | st.text(max_size=100).map(lambda t: t.encode("utf-8", "ignore")) | mutated()


@given(any_input)
def test_bytes_are_a_note_of_one_spelling_or_malformed(data):
    try:
        note = parse_note(data)
    except FormatError:
        return
    assert format_note(note) == data


@given(any_input)
def test_bytes_open_as_what_a_known_key_signed_or_not_at_all(data):
    try:
        note = open_note(data, KNOWN)
    except WherefromError:
        return
    assert note.signed_by
    for key in note.signed_by:
        signed = [s.signature for s in parse_note(data).signatures if s.label == key.label]
        for signature in signed:
            verify_line(key, note.text, signature)


@given(any_input)
def test_bytes_open_as_the_checkpoint_that_was_signed_or_not_at_all(data):
    try:
        checkpoint = open_checkpoint(data, KNOWN)
    except WherefromError:
        return
    assert checkpoint == CHECKPOINT


@given(any_input)
def test_bytes_satisfy_a_policy_with_what_was_cosigned_or_not_at_all(data):
    policy = parse_policy(VALID[-1])
    try:
        trusted = open_trusted(data, policy)
    except WherefromError:
        return
    assert trusted.checkpoint == CHECKPOINT
    assert policy.is_quorum(c.key for c in trusted.cosignatures)


@given(any_input.map(lambda data: data.decode("utf-8", "surrogateescape")) | st.text())
def test_text_is_a_key_or_checkpoint_of_one_spelling_or_malformed(text):
    for parse, write in (
        (parse_verifier_key, format_verifier_key),
        (parse_signing_key, format_signing_key),
        (parse_checkpoint, format_checkpoint),
    ):
        try:
            value = parse(text)
        except FormatError:
            continue
        assert write(value) == text


@given(any_input)
def test_bytes_are_a_policy_or_one_of_our_errors(data):
    try:
        policy = parse_policy(data)
    except WherefromError:
        return
    assert parse_policy(format_policy(policy)) == policy
    for log in policy.logs:
        assert format_verifier_key(log.key).encode() in data


octets = st.binary(min_size=1, max_size=8).filter(lambda name: name != b"none" and not {*range(33), 127} & {*name})


@st.composite
def policies(draw):
    """Any policy: named witnesses, and groups of what came before them, each member once."""
    listed = any_keys.filter(lambda key: "\x7f" not in key.name)
    made = [key.verifier_key for key in draw(st.lists(listed, min_size=1, max_size=6, unique_by=lambda key: key.seed))]
    logs = tuple(TrustedLog(key, draw(st.none() | octets)) for key in made if key.key_type != 4)
    if not logs:
        logs = (TrustedLog(KEY.verifier_key),)
    names = draw(st.lists(octets, min_size=12, max_size=12, unique=True))
    cosigners = [key for key in made if key.key_type != 1]
    witnesses = tuple(TrustedWitness(names.pop(), key, draw(st.none() | octets)) for key in cosigners)
    free, groups = [witness.name for witness in witnesses], []
    while free and draw(st.booleans()):
        members = tuple(free.pop() for _ in range(draw(st.integers(1, len(free)))))
        groups.append(WitnessGroup(names.pop(), draw(st.integers(1, len(members))), members))
        free.append(groups[-1].name)
    return TrustPolicy(logs, witnesses, tuple(groups), draw(st.sampled_from([b"none", *free])))


@given(policies())
def test_policies_are_read_as_they_were_written(policy):
    assert parse_policy(format_policy(policy)) == policy


@given(policies(), st.data())
def test_a_quorum_once_met_stays_met_when_more_witnesses_sign(policy, data):
    keys = [witness.key for witness in policy.witnesses]
    some = data.draw(st.lists(st.sampled_from(keys), unique=True)) if keys else []
    assert policy.is_quorum(some) <= policy.is_quorum(keys)
    assert policy.is_quorum(keys)
    assert policy.is_quorum([]) == (policy.quorum == b"none")


@given(any_keys)
def test_keys_are_read_as_they_were_written(key):
    assert parse_signing_key(format_signing_key(key)) == key
    assert parse_verifier_key(format_verifier_key(key.verifier_key)) == key.verifier_key


@given(texts, st.lists(signatures, min_size=1, max_size=5).map(tuple))
def test_notes_are_read_as_they_were_written(text, signed):
    note = Note(text, signed)
    assert parse_note(format_note(note)) == note


@given(texts, keys, keys)
def test_what_was_signed_opens_with_the_key_and_not_with_another(text, key, stranger):
    data = sign_note(text, key)
    assert open_note(data, [key.verifier_key]).text == text
    if stranger != key:
        with pytest.raises(SignatureError):
            open_note(data, [stranger.verifier_key])


@given(checkpoints)
def test_checkpoints_are_read_as_they_were_written(checkpoint):
    assert parse_checkpoint(format_checkpoint(checkpoint)) == checkpoint
    if is_key_name(checkpoint.origin):
        key = SigningKey(checkpoint.origin, bytes(32))
        assert open_checkpoint(sign_checkpoint(checkpoint, key), [key.verifier_key]) == checkpoint
