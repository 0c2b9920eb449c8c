import json
from base64 import b64decode
from pathlib import Path

import pytest

from wherefrom import errors
from wherefrom.errors import FormatError
from wherefrom.notes import (
    ED25519_COSIGNATURE,
    ML_DSA_44_COSIGNATURE,
    SigningKey,
    TrustedLog,
    TrustedWitness,
    TrustPolicy,
    WitnessGroup,
    format_policy,
    format_verifier_key,
    parse_policy,
)
from wherefrom.notes.policy import MAX_POLICY_BYTES

CASES = json.loads((Path(__file__).parents[2] / "vectors" / "notes" / "policies.json").read_text())["cases"]
LOG = SigningKey("example.com/log", bytes(range(32)))
OTHER = SigningKey("example.com/other", bytes(range(1, 33)))
W = [SigningKey("witness.example", i.to_bytes(32), ED25519_COSIGNATURE).verifier_key for i in range(500)]


def text(octets):
    """Names as the vectors write them: an octet is the character of its number."""
    return octets.decode("latin-1")


def policy_of(case):
    return case["policy"].encode() if "policy" in case else b64decode(case["policy_base64"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["desc"])
def test_a_policy_is_read_or_says_which_line_is_wrong(case):
    want = case["want"]
    if "error" in want:
        with pytest.raises(errors.WherefromError) as caught:
            parse_policy(policy_of(case))
        assert type(caught.value) is getattr(errors, want["error"])
        assert want["says"] in str(caught.value)
    else:
        policy = parse_policy(policy_of(case))
        logs = [[format_verifier_key(log.key), log.url.decode() if log.url else None] for log in policy.logs]
        witnesses = [[text(w.name), w.key.label, w.url and text(w.url)] for w in policy.witnesses]
        groups = [[text(g.name), g.threshold, [text(member) for member in g.members]] for g in policy.groups]
        assert logs == want["logs"]
        assert witnesses == want.get("witnesses", [])
        assert groups == want.get("groups", [])
        assert text(policy.quorum) == want.get("quorum", "none")
        assert parse_policy(format_policy(policy)) == policy


def test_the_vectors_have_more_wrong_cases_than_right_ones():
    wrong = sum("error" in case["want"] for case in CASES)
    assert wrong > len(CASES) - wrong > 0


def test_a_policy_is_written_with_a_line_for_each_log():
    policy = TrustPolicy((TrustedLog(LOG.verifier_key), TrustedLog(OTHER.verifier_key, b"https://other.example/")))
    log, other = (format_verifier_key(key.verifier_key) for key in (LOG, OTHER))
    assert format_policy(policy).decode() == f"log {log}\nlog {other} https://other.example/\nquorum none\n"


def test_a_url_is_opaque_octets():
    policy = TrustPolicy((TrustedLog(LOG.verifier_key, b"https://\xff\xe9/"),))
    assert parse_policy(format_policy(policy)) == policy


@pytest.mark.parametrize("url", [b"", b"a b", b"a\tb", b"a\n", b"\0", b"\x7f"])
def test_a_url_that_no_line_can_hold_is_refused(url):
    with pytest.raises(FormatError, match="is empty, or has a space or control character"):
        TrustedLog(LOG.verifier_key, url)


def test_a_policy_that_believes_nobody_is_refused():
    with pytest.raises(FormatError, match="policy has no log line"):
        TrustPolicy(())


def test_a_policy_names_each_public_key_once():
    renamed = SigningKey("example.com/renamed", LOG.seed)
    with pytest.raises(FormatError, match=r"public key of log example\.com/renamed\+\w{8} is given twice"):
        TrustPolicy((TrustedLog(LOG.verifier_key), TrustedLog(renamed.verifier_key)))


def test_keys_are_of_a_type_that_fits_their_line():
    log, cosigner, hybrid = (SigningKey("example.com/x", bytes(32), t).verifier_key for t in (1, 4, 6))
    assert TrustedLog(log).key == log
    assert TrustedLog(hybrid).key == TrustedWitness(b"W", hybrid).key == hybrid
    assert TrustedWitness(b"W", cosigner).key == cosigner
    with pytest.raises(FormatError, match="of type 0x04 is a witness's, not a log's"):
        TrustedLog(cosigner)
    with pytest.raises(FormatError, match="of type 0x01 makes no cosignatures, as a witness must"):
        TrustedWitness(b"W", log)


def test_two_keys_of_one_label_are_refused():
    log, witness = (
        SigningKey("a", bytes(32)).verifier_key,
        SigningKey("a", bytes(32), ML_DSA_44_COSIGNATURE).verifier_key,
    )
    assert TrustPolicy((TrustedLog(log),), (TrustedWitness(b"W", witness),))
    for key in (log, witness):
        vars(key)["key_id"] = 7  # as after 2**32 tries
    with pytest.raises(FormatError, match=r"two keys share the name and key id a\+00000007"):
        TrustPolicy((TrustedLog(log),), (TrustedWitness(b"W", witness),))


def test_a_log_s_own_ml_dsa_key_may_be_a_witness_too():
    own = SigningKey("example.com/log", bytes(32), ML_DSA_44_COSIGNATURE).verifier_key
    policy = TrustPolicy((TrustedLog(LOG.verifier_key), TrustedLog(own)), (TrustedWitness(b"own", own),), (), b"own")
    assert policy.known_keys == (LOG.verifier_key, own)
    assert parse_policy(format_policy(policy)) == policy


def test_a_key_whose_name_no_policy_can_hold_is_refused():
    with pytest.raises(FormatError, match="has a control character, which no policy may hold"):
        TrustedLog(SigningKey("a\x7f", bytes(32)).verifier_key)


@pytest.mark.parametrize("name", [b"", b"a b", b"\t", b"a\n", b"\x7f", b"none"])
def test_a_name_that_no_line_can_hold_is_refused(name):
    with pytest.raises(FormatError, match=r"is empty, or has a space or control character|is reserved"):
        TrustPolicy((TrustedLog(LOG.verifier_key),), (TrustedWitness(name, W[0]),))


def test_a_policy_built_by_hand_is_held_to_the_rules_of_the_file():
    logs, witnesses = (TrustedLog(LOG.verifier_key),), (TrustedWitness(b"A", W[0]), TrustedWitness(b"B", W[1]))
    for groups, quorum, says in (
        ((WitnessGroup(b"G", 1, (b"X",)),), b"G", "has member 'X', which no line before defines"),
        ((WitnessGroup(b"G", 1, (b"A", b"A")),), b"G", "group member 'A' is given twice"),
        ((WitnessGroup(b"G", 1, (b"H",)), WitnessGroup(b"H", 1, (b"A",))), b"G", "which no line before defines"),
        ((), b"G", "quorum 'G' is not 'none'"),
    ):
        with pytest.raises(FormatError, match=says):
            TrustPolicy(logs, witnesses, groups, quorum)
    for threshold in (0, 3, -1):
        with pytest.raises(FormatError, match=f"threshold of group 'G' is {threshold}, expected 1 to 2"):
            WitnessGroup(b"G", threshold, (b"A", b"B"))


NESTED = TrustPolicy(
    (TrustedLog(LOG.verifier_key),),
    tuple(TrustedWitness(b"%c%d" % (letter, n), W[i * 3 + n]) for i, letter in enumerate(b"XY") for n in range(3)),
    (
        WitnessGroup(b"X", 2, (b"X0", b"X1", b"X2")),
        WitnessGroup(b"Y", 1, (b"Y0", b"Y1", b"Y2")),
        WitnessGroup(b"all", 2, (b"X", b"Y")),
    ),
    b"all",
)


def test_a_quorum_is_met_by_exactly_the_sets_of_witnesses_that_the_groups_ask_for():
    for chosen in range(1 << 6):
        keys = [W[i] for i in range(6) if chosen >> i & 1]
        x, y = (chosen & 0b111).bit_count(), (chosen >> 3).bit_count()
        assert NESTED.is_quorum(keys) == (x >= 2 and y >= 1)
        assert (b"X" in NESTED.find_witnessed(keys)) == (x >= 2)
    assert parse_policy(format_policy(NESTED)) == NESTED


def test_a_key_that_is_no_witness_adds_nothing_and_one_key_counts_once():
    assert not NESTED.is_quorum([W[0], W[0], W[3], LOG.verifier_key, W[6]])
    assert NESTED.is_quorum([W[0], W[1], W[3]])


def test_without_a_quorum_no_witness_is_needed():
    assert TrustPolicy((TrustedLog(LOG.verifier_key),), (TrustedWitness(b"A", W[0]),)).is_quorum([])


def test_hundreds_of_witnesses_and_of_nested_groups_are_read_and_weighed():
    witnesses = tuple(TrustedWitness(b"W%d" % i, key) for i, key in enumerate(W))
    groups = [WitnessGroup(b"G0", 1, (b"W0",))]
    groups += [WitnessGroup(b"G%d" % i, 2, (b"G%d" % (i - 1), b"W%d" % i)) for i in range(1, len(W))]
    policy = TrustPolicy((TrustedLog(LOG.verifier_key),), witnesses, tuple(groups), b"G%d" % (len(W) - 1))
    assert parse_policy(format_policy(policy)) == policy
    assert policy.is_quorum(W)
    assert not policy.is_quorum(W[1:])
    assert not policy.is_quorum(W[:-1])


def test_a_policy_longer_than_the_limit_is_refused():
    policy = format_policy(TrustPolicy((TrustedLog(LOG.verifier_key),)))
    longest = policy + b"#" * (MAX_POLICY_BYTES - len(policy) - 1) + b"\n"
    assert parse_policy(longest).log_keys == (LOG.verifier_key,)
    with pytest.raises(FormatError, match=f"policy has {MAX_POLICY_BYTES + 1} bytes, expected at most"):
        parse_policy(b"#" + longest)


def test_a_thousand_logs_are_read():
    logs = [TrustedLog(SigningKey("example.com/log", i.to_bytes(32)).verifier_key) for i in range(1000)]
    policy = TrustPolicy(tuple(logs))
    assert parse_policy(format_policy(policy)) == policy
