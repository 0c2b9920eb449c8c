import json
from base64 import b64decode
from pathlib import Path

import pytest

from wherefrom import errors
from wherefrom.errors import FormatError, SignatureError, UnavailableError
from wherefrom.notes import (
    ED25519_COSIGNATURE,
    Checkpoint,
    SigningKey,
    TrustedLog,
    TrustPolicy,
    VerifierKey,
    format_policy,
    format_verifier_key,
    open_checkpoint,
    parse_policy,
    sign_checkpoint,
)
from wherefrom.notes.policy import MAX_POLICY_BYTES

CASES = json.loads((Path(__file__).parents[2] / "vectors" / "notes" / "policies.json").read_text())["cases"]
LOG = SigningKey("example.com/log", bytes(range(32)))
OTHER = SigningKey("example.com/other", bytes(range(1, 33)))


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
        assert logs == want["logs"]
        assert parse_policy(format_policy(policy)) == policy


def test_the_vectors_have_more_wrong_cases_than_right_ones():
    wrong = sum("error" in case["want"] for case in CASES)
    assert wrong > len(CASES) - wrong > 0


def test_a_policy_is_written_with_a_line_for_each_log():
    policy = TrustPolicy((TrustedLog(LOG.verifier_key), TrustedLog(OTHER.verifier_key, b"https://other.example/")))
    log, other = (format_verifier_key(key.verifier_key) for key in (LOG, OTHER))
    assert format_policy(policy).decode() == f"log {log}\nlog {other} https://other.example/\nquorum none\n"


def test_checkpoints_open_by_a_policy_that_names_their_log():
    data = sign_checkpoint(Checkpoint("example.com/log", 7, bytes(32)), LOG)
    both = TrustPolicy((TrustedLog(OTHER.verifier_key), TrustedLog(LOG.verifier_key)))
    assert open_checkpoint(data, both.verifier_keys).size == 7
    with pytest.raises(SignatureError, match="no signature by a known key"):
        open_checkpoint(data, TrustPolicy((TrustedLog(OTHER.verifier_key),)).verifier_keys)


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
    with pytest.raises(FormatError, match=r"policy has the public key of log example\.com/renamed\+\w{8} twice"):
        TrustPolicy((TrustedLog(LOG.verifier_key), TrustedLog(renamed.verifier_key)))


def test_a_log_that_only_cosigns_cannot_be_checked():
    key = VerifierKey("example.com/log", ED25519_COSIGNATURE, LOG.verifier_key.public)
    with pytest.raises(UnavailableError, match="signs with type 0x04, which this version cannot check"):
        TrustedLog(key)


def test_a_policy_longer_than_the_limit_is_refused():
    policy = format_policy(TrustPolicy((TrustedLog(LOG.verifier_key),)))
    longest = policy + b"#" * (MAX_POLICY_BYTES - len(policy) - 1) + b"\n"
    assert parse_policy(longest).verifier_keys == (LOG.verifier_key,)
    with pytest.raises(FormatError, match=f"policy has {MAX_POLICY_BYTES + 1} bytes, expected at most"):
        parse_policy(b"#" + longest)


def test_a_thousand_logs_are_read():
    logs = [TrustedLog(SigningKey("example.com/log", i.to_bytes(32)).verifier_key) for i in range(1000)]
    policy = TrustPolicy(tuple(logs))
    assert parse_policy(format_policy(policy)) == policy
