"""OpenTimestamps proofs: read, written, merged, and held against blocks."""

import contextlib
import hashlib
import json
import warnings
from pathlib import Path

import pytest
from fake_bitcoin import REGTEST_WORK, Calendar, Chain
from hypothesis import given, settings
from hypothesis import strategies as st
from time_authority import serving

from wherefrom.anchors import calendars, ots
from wherefrom.anchors.bitcoin import parse_header_file
from wherefrom.anchors.ots import Attestation, Branch, Operation
from wherefrom.anchors.timestamp import PendingError, UnknownAttestationError
from wherefrom.errors import FormatError, MismatchError, UnavailableError, WherefromError

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/anchors/opentimestamps.json").read_text())
DIGEST = hashlib.sha256(b"checkpoint").digest()
UNKNOWN = Attestation(b"whatever", b"payload")
SHA256 = Operation(ots.SHA256)
STEPS = (Operation(ots.APPEND, b"x"), SHA256)

operations = st.one_of(
    st.builds(Operation, st.sampled_from([ots.APPEND, ots.PREPEND]), st.binary(min_size=1, max_size=40)),
    st.builds(Operation, st.sampled_from([ots.SHA256, ots.SHA1, ots.HEXLIFY, ots.RIPEMD160, ots.KECCAK256])),
)
uris = st.text(alphabet="abcxyzABC019-._/:", max_size=30)
attestations = st.one_of(
    st.builds(ots.pending, uris),
    st.builds(ots.in_block, st.integers(0, ots.MAX_HEIGHT)),
    st.builds(Attestation, st.binary(min_size=8, max_size=8), st.binary(max_size=20)),
).filter(lambda a: a.tag[:1] != b"\x06")
branches = st.builds(lambda o, a: Branch(tuple(o), a), st.lists(operations, max_size=6), attestations)
proofs = st.builds(ots.make_proof, st.binary(min_size=32, max_size=32), st.lists(branches, min_size=1, max_size=8))


def headers_of(chain):
    return parse_header_file(chain.file, genesis=chain.genesis, least_total_work=REGTEST_WORK)


def block_proof(chain, *, also=(), steps=STEPS):
    message = DIGEST
    for step in steps:
        message = step.apply(message)
    height = chain.mine(message)
    return ots.format_ots(ots.make_proof(DIGEST, [Branch(tuple(steps), ots.in_block(height)), *also]))


def verify(proof, chain, digest=DIGEST):
    return ots.verify_ots(proof, digest, headers_of(chain), least_work=REGTEST_WORK)


def test_a_proof_in_a_block_holds_since_the_blocks_time():
    chain = Chain()
    proof = block_proof(chain, also=[Branch((), ots.pending("https://calendar.example")), Branch((), UNKNOWN)])
    timestamp = verify(proof, chain)
    assert timestamp.authority == "Bitcoin block 3"
    assert timestamp.time == headers_of(chain).read(3).time
    assert timestamp.latest - timestamp.time == ots.BLOCK_TIME_ACCURACY


def test_of_several_blocks_the_earliest_counts():
    chain = Chain()
    first, second = ots.parse_ots(block_proof(chain)), ots.parse_ots(block_proof(chain, steps=(SHA256,)))
    merged = ots.make_proof(DIGEST, [*second.branches, *first.branches])
    assert verify(ots.format_ots(merged), chain).authority == "Bitcoin block 3"


def test_pending_wrong_root_unknown_and_unavailable_are_different_verdicts():
    chain = Chain()
    pending = ots.format_ots(ots.make_proof(DIGEST, [Branch((SHA256,), ots.pending("https://calendar.example"))]))
    with pytest.raises(PendingError, match=r"promised by https://calendar\.example"):
        verify(pending, chain)
    wrong = ots.format_ots(ots.make_proof(DIGEST, [Branch((SHA256,), ots.in_block(1))]))
    with pytest.raises(MismatchError, match="block 1 has Merkle root"):
        verify(wrong, chain)
    unknown = ots.format_ots(ots.make_proof(DIGEST, [Branch((SHA256,), UNKNOWN)]))
    with pytest.raises(UnknownAttestationError, match=UNKNOWN.tag.hex()):
        verify(unknown, chain)
    beyond = ots.format_ots(ots.make_proof(DIGEST, [Branch((SHA256,), ots.in_block(99))]))
    with pytest.raises(UnavailableError, match="none of height 99"):
        verify(beyond, chain)


def test_one_block_that_does_not_hold_spoils_the_proof_whatever_else_does():
    chain = Chain()
    proof = block_proof(chain, also=[Branch((SHA256, SHA256), ots.in_block(1))])
    with pytest.raises(MismatchError):
        verify(proof, chain)


def test_a_proof_of_another_digest_is_refused():
    chain = Chain()
    with pytest.raises(MismatchError, match="is of digest"):
        verify(block_proof(chain), chain, digest=bytes(32))


def test_a_block_with_too_little_work_proves_nothing():
    chain = Chain()
    proof = block_proof(chain)
    with pytest.raises(UnavailableError, match="no headers of Bitcoin's main chain"):
        ots.verify_ots(proof, DIGEST, headers_of(chain))


def test_keccak_cannot_be_computed_and_says_so():
    chain = Chain()
    steps = (Operation(ots.KECCAK256),)
    proof = ots.format_ots(ots.make_proof(DIGEST, [Branch(steps, ots.in_block(1))]))
    with pytest.raises(UnavailableError, match="Keccak"):
        verify(proof, chain)


def test_reverse_and_hexlify_and_old_hashes_are_applied():
    chain = Chain()
    steps = (Operation(ots.REVERSE), Operation(ots.HEXLIFY), Operation(ots.SHA1), Operation(ots.PREPEND, b"p"), SHA256)
    assert verify(block_proof(chain, steps=steps), chain).authority == "Bitcoin block 3"
    assert Operation(ots.REVERSE).apply(b"abc") == b"cba"
    assert Operation(ots.HEXLIFY).apply(b"\xab") == b"ab"


def test_no_changed_byte_makes_a_proof_say_something_else():
    chain = Chain()
    proof = block_proof(chain, also=[Branch((SHA256,), ots.pending("https://calendar.example"))])
    truth = verify(proof, chain)
    for position in range(len(proof)):
        for mask in (0x01, 0x80, 0xFF):
            changed = proof[:position] + bytes([proof[position] ^ mask]) + proof[position + 1 :]
            with contextlib.suppress(FormatError, MismatchError, UnavailableError):
                assert verify(changed, chain) == truth


@pytest.mark.parametrize("end", range(0, 120, 7))
def test_a_proof_cut_short_is_malformed(end):
    proof = block_proof(Chain(), also=[Branch((SHA256,), UNKNOWN)])
    with pytest.raises(FormatError):
        ots.parse_ots(proof[: min(end, len(proof) - 1)])


@given(proofs)
def test_parsing_undoes_formatting(proof):
    assert ots.parse_ots(ots.format_ots(proof)) == proof


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_malformed(data):
    try:
        branches = ots.parse_branches(data)
    except FormatError:
        return
    assert set(ots.parse_branches(ots.format_branches(branches))) == set(branches)


@given(proofs, st.data())
def test_any_changed_byte_is_malformed_or_read_in_one_spelling(proof, data):
    encoded = bytearray(ots.format_ots(proof))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        parsed = ots.parse_ots(bytes(encoded))
    except FormatError:
        return
    assert ots.format_ots(parsed) == bytes(encoded)


def test_limits_hold_at_once_and_without_recursion():
    deep = bytes([ots.SHA256]) * 60_000
    with pytest.raises(FormatError, match="operations in a row"):
        ots.parse_branches(deep)
    with pytest.raises(FormatError, match="operations in a row"):
        ots.parse_branches(b"\xff\x08" * 300)
    with pytest.raises(FormatError, match="over 256 attestations"):
        ots.parse_branches((b"\xff\x00" + bytes(8) + b"\x00") * 300)
    with pytest.raises(FormatError, match="at most 65536"):
        ots.parse_branches(bytes(1 << 17))
    with pytest.raises(FormatError, match="makes"):
        ots.make_proof(DIGEST, [Branch((Operation(ots.HEXLIFY),) * 8, UNKNOWN)])
    with pytest.raises(FormatError, match="over 8192"):
        ots.parse_branches(b"\x00" + bytes(8) + b"\xff\xff\xff\xff\x0f")


@pytest.mark.parametrize("uri", ["https://user@host", "https://host/?a=b", "https://[::1]/", "https://host/%41", "é"])
def test_a_calendar_has_no_such_uri(uri):
    with pytest.raises(FormatError):
        ots.pending(uri)


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["desc"])
def test_proofs_are_judged_as_the_vectors_say(case):
    headers = parse_header_file(
        b"".join(map(bytes.fromhex, VECTORS["headers"])), genesis=VECTORS["genesis"], least_total_work=1
    )
    proof, digest = bytes.fromhex(case["proof"]), bytes.fromhex(VECTORS["digest"])

    def judge():
        return ots.verify_ots(proof, digest, headers, least_work=VECTORS["leastWork"])

    if error := case["want"].get("error"):
        with pytest.raises(WherefromError) as raised:
            judge()
        assert type(raised.value).__name__ == error
    else:
        assert judge().authority == f"Bitcoin block {case['want']['height']}"


# --- the library that everybody else uses ----------------------------------------------------------------------------


def in_library(data, digest):
    from opentimestamps.core.serialize import BytesDeserializationContext
    from opentimestamps.core.timestamp import DetachedTimestampFile

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)  # it may drop the operation `reverse` one day
        return DetachedTimestampFile.deserialize(BytesDeserializationContext(data))


def by_library(stamp):
    from opentimestamps.core.serialize import BytesSerializationContext

    context = BytesSerializationContext()
    stamp.serialize(context)
    return context.getbytes()


@given(proofs)
@settings(max_examples=200)
def test_the_opentimestamps_library_reads_what_we_write_and_writes_it_so(proof):
    encoded = ots.format_ots(proof)
    stamp = in_library(encoded, proof.digest)
    assert by_library(stamp) == encoded
    theirs = sorted(message for message, _ in stamp.timestamp.all_attestations())
    ours = [message for branch, message in ots.iter_messages(proof)]
    if not any(isinstance(message, UnavailableError) for message in ours):
        assert sorted(ours) == theirs


@given(st.data())
@settings(max_examples=200)
def test_we_read_what_the_opentimestamps_library_writes(data):
    from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, PendingAttestation
    from opentimestamps.core.op import OpAppend, OpHexlify, OpPrepend, OpSHA1, OpSHA256
    from opentimestamps.core.timestamp import DetachedTimestampFile, Timestamp

    stamp = DetachedTimestampFile(OpSHA256(), Timestamp(data.draw(st.binary(min_size=32, max_size=32))))
    for _ in range(data.draw(st.integers(1, 6))):
        node = stamp.timestamp
        for _ in range(data.draw(st.integers(0, 5))):
            argument = data.draw(st.binary(min_size=1, max_size=9))
            node = node.ops.add(
                data.draw(st.sampled_from([OpAppend(argument), OpPrepend(argument), OpSHA256(), OpSHA1(), OpHexlify()]))
            )
        heights = st.integers(0, 2**31 - 1).map(BitcoinBlockHeaderAttestation)
        node.attestations.add(data.draw(heights | uris.map(PendingAttestation)))
    encoded = by_library(stamp)
    proof = ots.parse_ots(encoded)
    assert ots.format_ots(proof) == encoded
    assert sorted(m for _, m in ots.iter_messages(proof)) == sorted(m for m, _ in stamp.timestamp.all_attestations())


@given(proofs, st.data())
@settings(max_examples=200)
def test_the_library_refuses_or_reads_alike_what_was_changed(proof, data):
    """What we take, the library takes, and means the same by it; we refuse more: one spelling alone will do."""
    encoded = bytearray(ots.format_ots(proof))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        parsed = ots.parse_ots(bytes(encoded))
    except FormatError:
        return
    if any(branch.attestation.tag in _FOREIGN for branch in parsed.branches):
        return  # the library reads these further than we do
    assert by_library(in_library(bytes(encoded), parsed.digest)) == bytes(encoded)


_FOREIGN = {bytes.fromhex("06869a0d73d71b45"), bytes.fromhex("30fe8087b5c7ead7")}


# --- calendars -------------------------------------------------------------------------------------------------------


def test_a_calendar_promises_and_keeps_its_promise():
    chain = Chain()
    calendar = Calendar(chain)
    with serving(calendar.handle) as calendar.url:
        proof = calendars.submit(calendar.url + "/", DIGEST)
        assert DIGEST not in [body for _, _, body in calendar.asked]  # it sees the digest blinded
        assert ots.list_calendars(proof) == [calendar.url]
        with pytest.raises(PendingError):
            verify(ots.format_ots(proof), chain)

        early = calendars.upgrade(proof, may_ask=lambda _: True)
        assert early.proof == proof
        assert "Pending confirmation" in early.problems[0]

        calendar.mine()
        kept = calendars.upgrade(proof, may_ask=lambda _: True)
        assert kept.problems == ()
        assert ots.is_upgraded(kept.proof)
        assert ots.list_calendars(kept.proof) == [calendar.url]
        assert verify(ots.format_ots(kept.proof), chain).authority == "Bitcoin block 3"


def test_a_calendar_that_only_a_proof_names_is_not_asked():
    proof = ots.make_proof(DIGEST, [Branch((), ots.pending("http://127.0.0.1:9/private"))])
    result = calendars.upgrade(proof, may_ask=lambda _: False)
    assert result.proof == proof
    assert "was not asked" in result.problems[0]


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (500, b"", "status 500"),
        (200, b"", "ends after 0 bytes"),
        (200, bytes(10_001), "over 10000 bytes"),
        (200, b"\x08\x00" + b"whatever" + b"\x00" + b"more", "4 bytes too many"),
    ],
)
def test_a_calendar_that_answers_nonsense_is_refused(status, body, problem):
    with (
        serving(lambda *_: (status, "application/octet-stream", body)) as url,
        pytest.raises((UnavailableError, FormatError), match=problem),
    ):
        calendars.submit(url, DIGEST)


def test_what_a_calendar_says_reaches_no_terminal_as_it_is():
    proof = ots.make_proof(DIGEST, [Branch((), ots.pending("http://x"))])
    with serving(lambda *_: (404, "text/plain", b"\x1b[2Jgone\nwherefrom: all is well")) as url:
        proof = ots.make_proof(DIGEST, [Branch((), ots.pending(url))])
        [problem] = calendars.upgrade(proof, may_ask=lambda _: True).problems
    assert problem.endswith("__2Jgone_wherefrom_ all is well")
