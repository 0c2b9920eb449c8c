"""Timestamps of an archive's checkpoints, and how they get into evidence and are judged there."""

import hashlib
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from events import event
from fake_bitcoin import REGTEST_WORK, Calendar, Chain
from time_authority import TIMES, Authority, issue, serving

from wherefrom.anchors import AnchoredCheckpoint, AnchorProof, Timestamp, parse_anchors, verify_ots
from wherefrom.anchors.bitcoin import parse_header_file
from wherefrom.anchors.carried import to_json
from wherefrom.archive.anchoring import anchor_checkpoint, list_anchors, list_anchors_for, upgrade_anchors
from wherefrom.errors import FormatError
from wherefrom.merkle import hash_leaf, prove_consistency, root_of
from wherefrom.notes import (
    ED25519_COSIGNATURE,
    Checkpoint,
    SigningKey,
    TrustedLog,
    TrustedWitness,
    TrustPolicy,
    open_trusted,
    parse_note,
    parse_policy,
    sign_checkpoint,
)
from wherefrom.store import AttestationTables, StoredAnchor
from wherefrom.strict import Fields
from wherefrom.verify.anchors import ProvenTime, check_anchors, earliest_time
from wherefrom.verify.findings import Outcome

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here: it is the time authority")


@pytest.fixture
def chain():
    return Chain()


@pytest.fixture
def calendar(chain):
    made = Calendar(chain)
    with serving(made.handle) as made.url:
        yield made


def headers_of(chain):
    return parse_header_file(chain.file, genesis=chain.genesis, least_total_work=REGTEST_WORK)


def states(found):
    return [(state.size, state.kind, state.state) for state in found]


def judge(archive, anchors, **options):
    """What a verifier with the archive's trust file finds of an evidence file's anchors."""
    policy = parse_policy(archive.trust_file.read_bytes())
    trusted = open_trusted(archive.checkpoint()[1], policy)
    parsed = parse_anchors(Fields.of({"anchors": anchors}, what="evidence file"))
    return check_anchors(parsed, trusted, policy, least_work=REGTEST_WORK, **options)


def outcomes(verdict):
    return [finding.outcome for finding in verdict.findings]


def test_a_calendars_promise_is_kept_upgraded_and_verified(archive, chain, calendar):
    archive.record(event("first"))
    size = archive.size()
    assert states(anchor_checkpoint(archive, calendars=[calendar.url])) == [(size, "opentimestamps", "kept")]
    assert states(anchor_checkpoint(archive, calendars=[calendar.url])) == [(size, "opentimestamps", "there")]
    assert states(list_anchors(archive)) == [(size, "opentimestamps", "pending")]

    [waiting] = upgrade_anchors(archive)
    assert waiting.state == "pending"
    assert "not in a block yet" in waiting.problem
    calendar.mine()
    assert states(upgrade_anchors(archive)) == [(size, "opentimestamps", "upgraded")]
    assert upgrade_anchors(archive) == []

    [unchecked] = list_anchors(archive)
    assert unchecked.state == "unchecked"
    assert "claims Bitcoin block 3" in unchecked.problem
    [verified] = list_anchors(archive, headers=headers_of(chain), least_work=REGTEST_WORK)
    assert verified.state == "verified"
    assert verified.timestamp.authority == "Bitcoin block 3"
    [stranger] = list_anchors(archive, headers=headers_of(Chain(5)), least_work=REGTEST_WORK)
    assert stranger.state == "false"


def test_what_is_timestamped_is_the_hash_of_the_checkpoints_text(archive, chain, calendar):
    anchor_checkpoint(archive, calendars=[calendar.url])
    calendar.mine()
    upgrade_anchors(archive)
    text = parse_note(archive.checkpoint()[1]).text.encode()
    with archive.reading() as (tables, _):
        [stored] = AttestationTables(tables.connection).list_anchors()
    digest = hashlib.sha256(text).digest()
    assert verify_ots(stored.proof, digest, headers_of(chain), least_work=REGTEST_WORK)


def test_a_calendar_is_asked_again_only_if_somebody_named_it(archive, chain, calendar):
    """A pool answers with the name of a calendar that nobody asked us to trust."""
    with serving(calendar.handle) as pool:  # the same calendar, whose proofs name its own URL
        anchor_checkpoint(archive, calendars=[pool])
        calendar.mine()
        before = len(calendar.asked)
        [refused] = upgrade_anchors(archive)
        assert "was not asked" in refused.problem
        assert len(calendar.asked) == before
        assert states(upgrade_anchors(archive, calendars=[calendar.url + "/"]))[0][2] == "upgraded"


@needs_openssl
def test_one_authority_that_fails_stops_no_other(archive, tmp_path, calendar):
    root = issue("root", ca=True)
    authority = Authority(tmp_path / "tsa", issue("time authority", root, usages=TIMES))

    def answer(method, path, body, headers):
        return 200, "application/timestamp-reply", authority.reply(body)

    with serving(answer) as good, serving(lambda *_: (500, "text/plain", b"")) as bad:
        found = anchor_checkpoint(
            archive, authorities=[bad, good], calendars=[f"{calendar.url}/none", calendar.url], roots=[root.pem]
        )
        assert [state.state for state in found] == ["failed", "verified", "failed", "kept"]
        assert "status 500" in found[0].problem
        stranger = issue("stranger", ca=True)
        archive.record(event("more"))
        [refused] = anchor_checkpoint(archive, authorities=[good], roots=[stranger.pem])
        assert refused.state == "failed"  # a token that does not verify is not kept
        [unverified] = anchor_checkpoint(archive, authorities=[good])
        assert unverified.state == "kept"
    listed = list_anchors(archive)
    assert [state.state for state in listed] == ["pending", "unchecked", "unchecked"]
    assert "no roots given" in listed[1].problem
    assert [state.state for state in list_anchors(archive, roots=[root.pem])] == ["pending", "verified", "verified"]


@needs_openssl
def test_evidence_shows_by_when_its_statements_were_there_and_on_whose_word(archive, tmp_path, chain, calendar):
    root = issue("root", ca=True)
    authority = Authority(tmp_path / "tsa", issue("time authority", root, usages=TIMES))
    with serving(lambda m, p, body, h: (200, "application/timestamp-reply", authority.reply(body))) as tsa:
        youngest = archive.record(event("train"))[0].index
        anchor_checkpoint(archive, calendars=[calendar.url])
        calendar.mine()
        upgrade_anchors(archive)
        archive.record(*(event(f"other {number}") for number in range(5)))
        anchor_checkpoint(archive, authorities=[tsa], calendars=[calendar.url])
        later = archive.record(event("later"))[0].index
    anchors = list_anchors_for(archive, archive.size(), youngest=youngest)
    assert [len(anchor["proofs"]) for anchor in anchors] == [1, 2]

    verdict = judge(archive, anchors, roots=[root.pem], headers=headers_of(chain))
    assert outcomes(verdict) == [Outcome.TRUE] * 3 + [Outcome.UNCHECKED, Outcome.TRUE]  # the second proof is pending
    assert [(time.kind, time.size) for time in verdict.times] == [
        ("opentimestamps", youngest + 1),
        ("rfc3161", youngest + 6),
    ]
    authorities = {time.timestamp.authority for time in verdict.times}
    assert authorities == {"Bitcoin block 3", "CN=time authority"}
    assert earliest_time(verdict.times, youngest).size in {youngest + 1, youngest + 6}
    assert earliest_time(verdict.times, youngest + 1).kind == "rfc3161"
    assert earliest_time(verdict.times, later) is None

    nobody = judge(archive, anchors)
    assert outcomes(nobody) == [Outcome.TRUE, Outcome.UNCHECKED, Outcome.TRUE, Outcome.UNCHECKED, Outcome.UNCHECKED]
    assert nobody.times == []
    wrong_chain = judge(archive, anchors, headers=headers_of(Chain(6)))
    assert wrong_chain.outcome is Outcome.FALSE


def test_a_checkpoint_that_the_ledger_did_not_grow_out_of_proves_nothing(archive, tmp_path, chain, calendar):
    anchor_checkpoint(archive, calendars=[calendar.url])
    calendar.mine()
    upgrade_anchors(archive)
    archive.record(event("more"), event("and more"))
    [anchor] = list_anchors_for(archive, archive.size(), youngest=0)
    options = {"headers": headers_of(chain)}
    assert judge(archive, [anchor], **options).outcome is Outcome.TRUE

    def finding(changed):
        return judge(archive, [changed], **options).findings

    for changed in (
        anchor | {"consistency": []},
        anchor | {"consistency": [*anchor["consistency"], "00" * 32]},
        anchor | {"consistency": ["11" * 32, *anchor["consistency"][1:]]},
    ):
        [grown] = finding(changed)
        assert grown.outcome is Outcome.FALSE
    forged = anchor["checkpoint"].replace("\n1\n", "\n2\n", 1)
    [refused] = finding(anchor | {"checkpoint": forged})
    assert refused.outcome is Outcome.FALSE

    other = type(archive).init(tmp_path / "other", origin="example.com/other")
    try:
        foreign = other.checkpoint()[1].decode()
    finally:
        other.close()
    [refused] = finding(anchor | {"checkpoint": foreign, "consistency": []})
    assert refused.outcome is Outcome.FALSE


def test_the_oldest_that_covers_the_answer_and_the_newest_go_into_evidence(archive, calendar, chain):
    wanted = []
    for number in range(5):
        archive.record(event(f"run {number}"))
        anchor_checkpoint(archive, calendars=[calendar.url])
        wanted.append(archive.size())
    calendar.mine()
    upgrade_anchors(archive)

    def sizes(youngest, size=wanted[-1]):
        anchors = list_anchors_for(archive, size, youngest=youngest)
        return [anchor.size for anchor in parse_anchors(Fields.of({"anchors": anchors}, what="file"))]

    assert sizes(0) == [wanted[0], wanted[-1]]
    assert sizes(wanted[1]) == [wanted[2], wanted[-1]]
    assert sizes(wanted[-1]) == [wanted[-1]]  # nothing covers it; the newest still shows the ledger's age
    assert sizes(0, size=wanted[2]) == [wanted[0], wanted[2]]


def test_a_url_with_a_password_is_refused_because_evidence_would_show_it(archive):
    for url in ("https://user:secret@tsa.example", "https://tsa.example/ä", "https://tsa.example/a b"):
        with pytest.raises(FormatError, match="names a user, or has characters") as raised:
            anchor_checkpoint(archive, authorities=[url])
        assert "secret" not in str(raised.value)


def test_what_was_there_first_is_kept(archive, chain, calendar):
    """Two that anchor at once: the later answer does not take the place of the earlier."""
    mine = b"not to be replaced"

    def answer(method, path, body, headers):
        with archive.writing() as connection:
            AttestationTables(connection).write_anchor(StoredAnchor(1, "opentimestamps", url, mine))
        return calendar.handle(method, path, body, headers)

    with serving(answer) as url:
        assert states(anchor_checkpoint(archive, calendars=[url])) == [(1, "opentimestamps", "there")]
    with archive.reading() as (tables, _):
        assert [anchor.proof for anchor in AttestationTables(tables.connection).list_anchors()] == [mine]
    assert list_anchors(archive)[0].state == "unchecked"
    assert upgrade_anchors(archive)[0].state == "failed"


def test_evidence_has_room_for_sixteen_proofs_of_a_checkpoint(archive):
    with archive.writing() as connection:
        for number in range(20):
            AttestationTables(connection).write_anchor(StoredAnchor(1, "opentimestamps", f"https://{number}", PENDING))
    [anchor] = list_anchors_for(archive, 1, youngest=0)
    [parsed] = parse_anchors(Fields.of({"anchors": [anchor]}, what="file"))
    assert len(parsed.proofs) == 16


def test_a_time_is_by_the_latest_that_the_authority_may_mean():
    at = datetime(2026, 1, 1, tzinfo=UTC)
    exact = ProvenTime(9, "rfc3161", Timestamp(at + timedelta(minutes=1), "exact", timedelta(seconds=1)))
    vague = ProvenTime(9, "opentimestamps", Timestamp(at, "vague", timedelta(hours=2)))
    assert earliest_time([vague, exact], 8) == exact
    assert earliest_time([vague, exact], 9) is None
    assert earliest_time([], 0) is None


def test_the_witnesses_cosignatures_are_a_third_kind_of_time():
    log = SigningKey.generate("example.com/log")
    witness = SigningKey("witness.example", bytes(32), ED25519_COSIGNATURE)
    own = SigningKey("example.com/log", bytes(31) + b"1", ED25519_COSIGNATURE)
    leaves, seen_at = [hash_leaf(b"a"), hash_leaf(b"b")], 1_790_000_000
    old, new = (Checkpoint("example.com/log", n, root_of(leaves[:n])) for n in (1, 2))
    witnesses = tuple(TrustedWitness(n, k.verifier_key) for n, k in ((b"W", witness), (b"own", own)))
    policy = TrustPolicy((TrustedLog(log.verifier_key),), witnesses)
    pending = AnchorProof("opentimestamps", "https://c.example", PENDING)
    note = sign_checkpoint(old, log, witness, own, time_s=seen_at)
    anchor = AnchoredCheckpoint(note, tuple(prove_consistency(leaves, 1)), (pending,))

    verdict = check_anchors([anchor], open_trusted(sign_checkpoint(new, log), policy), policy)
    witnessed = ProvenTime(1, "witness", Timestamp(datetime.fromtimestamp(seen_at, UTC), "witness.example"))
    assert verdict.times == [witnessed]  # not by the log's own second key: its word is no outside time

    cosigned = sign_checkpoint(new, log, witness, own, time_s=seen_at + 1)
    [time] = check_anchors([], open_trusted(cosigned, policy), policy).times
    assert (time.size, time.kind) == (2, "witness")

    stranger = SigningKey("witness.example", bytes(31) + b"2", ED25519_COSIGNATURE)
    by_nobody = replace(anchor, note=sign_checkpoint(old, log, stranger, time_s=seen_at))
    assert check_anchors([by_nobody], open_trusted(sign_checkpoint(new, log), policy), policy).times == []


PENDING = (
    bytes.fromhex("004f70656e54696d657374616d7073000050726f6f6600bf89e2e884e892940108")
    + bytes(32)
    + b"\x00"
    + bytes.fromhex("83dfe30d2ef90c8e")
    + b"\x12\x11https://c.example"
)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"proofs": []}, "expected 1 to 16"),
        ({"proofs": [{"kind": "sundial", "authority": "a", "proof": "AA=="}]}, "sundial"),
        ({"proofs": [{"kind": "rfc3161", "authority": "a\x1b[2J", "proof": "AA=="}]}, "printable ASCII"),
        ({"proofs": [{"kind": "rfc3161", "authority": "a", "proof": "AB=="}]}, "one spelling"),
        ({"proofs": [{"kind": "rfc3161", "authority": "a", "proof": "A"}]}, "not base64"),
        ({"proofs": [{"kind": "rfc3161", "authority": "a", "proof": "AA==", "x": 1}]}, "unknown member"),
        ({"proofs": [{"kind": "rfc3161", "authority": a, "proof": "AA=="} for a in "ba"]}, "in order"),
        ({"proofs": [{"kind": "rfc3161", "authority": "a", "proof": "AA=="}] * 2}, "in order"),
        ({"consistency": ["00"]}, "64 lower-case hex digits"),
        ({"consistency": ["00" * 32] * 129}, "64 lower-case hex digits"),
        ({"checkpoint": "nothing"}, "checkpoint"),
        ({"extra": 1}, "unknown member"),
    ],
)
def test_anchors_of_another_form_are_malformed(archive, change, problem):
    good = {
        "checkpoint": archive.checkpoint()[1].decode(),
        "consistency": [],
        "proofs": [{"kind": "rfc3161", "authority": "https://tsa.example", "proof": "AA=="}],
    }
    [parsed] = parse_anchors(Fields.of({"anchors": [good]}, what="file"))
    assert to_json(parsed) == good
    with pytest.raises(FormatError, match=problem):
        parse_anchors(Fields.of({"anchors": [good | change]}, what="file"))
    with pytest.raises(FormatError, match="each once"):
        parse_anchors(Fields.of({"anchors": [good, good]}, what="file"))
    with pytest.raises(FormatError, match="at most 64"):
        parse_anchors(Fields.of({"anchors": [good] * 65}, what="file"))
