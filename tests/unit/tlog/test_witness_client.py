"""Asking witnesses: what they answer is believed only if it verifies, and one that fails hinders no other."""

import pytest
from grown_log import GrownLog
from http_servers import answering

from wherefrom.errors import ConflictError, SignatureError, UnavailableError
from wherefrom.notes import (
    ED25519_COSIGNATURE,
    ML_DSA_44_COSIGNATURE,
    SigningKey,
    TrustedLog,
    TrustedWitness,
    TrustPolicy,
    add_signatures,
    format_signatures,
    make_signatures,
    open_note,
    parse_note,
)
from wherefrom.tlog.add_checkpoint import parse_add_checkpoint
from wherefrom.tlog.witness import Witness
from wherefrom.tlog.witness_client import (
    MAX_ATTEMPTS,
    WitnessAddress,
    ask_witness,
    ask_witnesses,
    list_addresses,
)
from wherefrom.tlog.witness_state import WitnessState

KEY = SigningKey("witness.example", bytes(range(32)), ED25519_COSIGNATURE)
POST_QUANTUM = SigningKey("witness.example", bytes(range(1, 33)), ML_DSA_44_COSIGNATURE)
STRANGER = SigningKey("stranger.example", bytes(range(2, 34)), ED25519_COSIGNATURE)
LOG = GrownLog()
SIZE_TYPE = "text/x.tlog.size"


def ask(url, *, size=9, old_size=0, keys=(KEY,), prove=LOG.prove):
    address = WitnessAddress(url, tuple(key.verifier_key for key in keys))
    return ask_witness(address, LOG.note(size), old_size=old_size, prove=prove, timeout_s=60)


def lines(*keys, size=9, time_s=1_700_000_000):
    return format_signatures(make_signatures(parse_note(LOG.note(size)).text, keys, time_s=time_s))


class Real:
    """A witness of ours behind HTTP, and the old sizes it was asked with."""

    def __init__(self, path, *, signers=(KEY,)):
        self.state = WitnessState.create(path)
        self.witness = Witness(signers, LOG.verifier_keys, self.state)
        self.asked = []

    def __call__(self, path, body):
        assert path == "/add-checkpoint"
        self.asked.append(parse_add_checkpoint(body).old_size)
        answer = self.witness.add_checkpoint(body)
        return answer.status, answer.content_type, answer.body


@pytest.fixture
def real(tmp_path):
    witness = Real(tmp_path / "state", signers=(KEY, POST_QUANTUM))
    yield witness
    witness.state.close()


def test_a_witness_is_asked_from_the_size_it_had_and_its_lines_verify(real):
    with answering(real) as url:
        first = ask(url, size=5, keys=(KEY, POST_QUANTUM))
        second = ask(f"{url}/", size=9, old_size=5, keys=(KEY, POST_QUANTUM))
    assert real.asked == [0, 5]
    for size, signatures in ((5, first), (9, second)):
        cosigned = add_signatures(LOG.note(size), signatures)
        opened = open_note(cosigned, [*LOG.verifier_keys, KEY.verifier_key, POST_QUANTUM.verifier_key])
        assert len(opened.cosignatures) == 2


def test_a_wrong_old_size_is_put_right_by_the_answer(real):
    with answering(real) as url:
        ask(url, size=5)
        ask(url, size=9, old_size=0)
        ask(url, size=9, old_size=0)
    assert real.asked == [0, 0, 5, 0, 9]


def test_a_witness_that_has_seen_more_says_that_the_log_was_rolled_back(real):
    with answering(real) as url:
        ask(url, size=9)
        with pytest.raises(ConflictError, match=r"has cosigned size 9 of example\.com/log, this is 5"):
            ask(url, size=5)


def test_a_fork_gets_no_cosignature(real):
    forked = GrownLog(fork=3)
    with answering(real) as url:
        ask(url, size=5)
        address = WitnessAddress(url, (KEY.verifier_key,))
        with pytest.raises(UnavailableError, match=r"answered 422: '.*consistency proof"):
            ask_witness(address, forked.note(9), old_size=5, prove=forked.prove)


@pytest.mark.parametrize(
    ("status", "content_type", "body", "error", "says"),
    [
        (200, "text/plain", b"", UnavailableError, "answered with no signature lines"),
        (200, "text/plain", b"<html>", UnavailableError, "answered with no signature lines: '<html>'"),
        (200, "text/plain", b"\xff", UnavailableError, "answered with no signature lines"),
        (200, "text/plain", lines(KEY)[:-1], UnavailableError, "answered with no signature lines"),
        (200, "text/plain", lines(STRANGER), SignatureError, r"signed as stranger\.example\+\w{8}, expected witness"),
        (200, "text/plain", lines(KEY, size=8), SignatureError, "does not fit what it signs"),
        (200, "text/plain", lines(KEY) + lines(KEY, size=8), SignatureError, "does not fit what it signs"),
        (200, "text/plain", lines(KEY, time_s=0), SignatureError, "names no time"),
        (403, "text/plain", b"no\n", UnavailableError, "answered 403: 'no'"),
        (404, "text/plain", b"x" * 9999, UnavailableError, "answered 404: 'x{200}'"),
        (302, "text/plain", b"", UnavailableError, "answered 302"),
        (500, "text/plain", b"\xff\0", UnavailableError, "answered 500"),
        (409, "text/plain", b"5\n", UnavailableError, "answered 409: '5'"),
        (409, SIZE_TYPE, b"05\n", UnavailableError, "answered 409 with '05'"),
        (409, SIZE_TYPE, b"10\n", ConflictError, "has cosigned size 10"),
        (200, "text/plain", b"x" * (2 << 20), UnavailableError, "over 1048576 bytes"),
    ],
)  # fmt: skip
def test_other_answers_are_not_believed(status, content_type, body, error, says):
    with answering(lambda path, request: (status, content_type, body)) as url, pytest.raises(error, match=says):
        ask(url)


def test_lines_by_keys_one_does_not_know_are_left_out():
    with answering(lambda path, body: (200, "text/plain", lines(STRANGER, KEY))) as url:
        [line] = ask(url)
    assert line.label == KEY.verifier_key.label


def test_a_witness_that_changes_its_mind_for_ever_is_given_up():
    asked = []

    def answer(path, body):
        asked.append(parse_add_checkpoint(body).old_size)
        return 409, f"{SIZE_TYPE}; charset=utf-8", b"%d\n" % len(asked)

    with answering(answer) as url, pytest.raises(UnavailableError, match="named another old size 3 times"):
        ask(url)
    assert asked == list(range(MAX_ATTEMPTS))


def test_a_witness_that_is_not_there_is_a_problem_of_its_own_alone(real):
    gone = WitnessAddress("http://127.0.0.1:1", (STRANGER.verifier_key,))
    wrong = WitnessAddress("gopher://witness.example", (STRANGER.verifier_key,))
    with answering(real) as url:
        there = WitnessAddress(url, (KEY.verifier_key,))
        answers = ask_witnesses([gone, there, wrong], LOG.note(9), old_size=lambda _: 0, prove=LOG.prove)
    assert [answer.address for answer in answers] == [gone, there, wrong]
    assert [bool(answer.signatures) for answer in answers] == [False, True, False]
    assert [answer.problem is None for answer in answers] == [False, True, False]


def test_lines_of_a_policy_with_one_url_are_one_witness():
    url = b"https://witness.example/"
    policy = TrustPolicy(
        (TrustedLog(LOG.verifier_keys[0]),),
        (
            TrustedWitness(b"A", KEY.verifier_key, url),
            TrustedWitness(b"B", POST_QUANTUM.verifier_key, url),
            TrustedWitness(b"C", STRANGER.verifier_key),
        ),
    )
    assert list_addresses(policy) == [WitnessAddress(url.decode(), (KEY.verifier_key, POST_QUANTUM.verifier_key))]
