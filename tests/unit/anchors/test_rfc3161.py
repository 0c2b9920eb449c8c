"""RFC 3161: tokens of a real authority, OpenSSL's, hold; each way of going wrong is refused with its own reason."""

import base64
import hashlib
import json
import re
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st
from time_authority import DAY, NOW, TIMES, Authority, digest_of, issue, serving

from wherefrom.anchors.der import INTEGER, SEQUENCE, encode, parse_all, parse_one
from wherefrom.anchors.rfc3161 import ask_rfc3161, make_request, read_reply, verify_rfc3161
from wherefrom.anchors.tokens import format_minimal, parse_token
from wherefrom.errors import FormatError, MismatchError, SignatureError, UnavailableError, WherefromError

VECTORS = json.loads((Path(__file__).parents[2] / "vectors/anchors/rfc3161.json").read_text())

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here, which is the time authority")

TEXT = b"example.com/log\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
DIGEST = digest_of(TEXT)


@pytest.fixture
def make(tmp_path):
    """Makes an authority; gives a function that stamps the text, the token of it."""
    count = iter(range(100))

    def make(leaf, **options):
        authority = Authority(tmp_path / f"tsa{next(count)}", leaf, **options)

        def stamp(text=TEXT):
            request = make_request(text)
            return read_reply(authority.reply(request.data), request)

        stamp.authority = authority
        return stamp

    return make


@pytest.fixture(scope="module")
def root():
    return issue("root", ca=True)


def leaf_of(issuer, **options):
    return issue("time authority", issuer, **{"usages": TIMES} | options)


def verify(token, *roots, **options):
    return verify_rfc3161(token, DIGEST, roots=[r.pem for r in roots], **options)


def test_a_token_says_when_how_exactly_and_on_whose_word(make, root):
    timestamp = verify(make(leaf_of(root))(), root)
    assert abs(timestamp.time - datetime.now(UTC)) < timedelta(hours=1)
    assert timestamp.time.microsecond % 1000 == 0
    assert timestamp.accuracy == timedelta(seconds=1.5)
    assert timestamp.latest == timestamp.time + timestamp.accuracy
    assert timestamp.authority == "CN=time authority"


@pytest.mark.parametrize("digits", [0, 6])
@pytest.mark.parametrize("ess", ["sha1", "sha256", "sha512"])
def test_authorities_differ_in_precision_and_in_how_they_name_their_certificate(make, root, digits, ess):
    verify(make(leaf_of(root), digits=digits, ess=ess)(), root)


def test_a_chain_comes_along_in_any_order_and_may_have_the_root_in_it(make, root):
    middle = issue("middle", root, ca=True, path_length=0)
    leaf = leaf_of(middle)
    for chain in ([middle], [middle, root], [root, middle], [issue("stranger", ca=True), middle]):
        assert verify(make(leaf, chain=chain)(), root)
    without = make(leaf)()
    with pytest.raises(UnavailableError, match="under any of the 1 roots"):
        verify(without, root)
    assert verify(without, root, middle)  # others in the file of roots help to build the chain


def test_over_http(make, root):
    stamp = make(leaf_of(root))
    seen = []

    def handle(method, path, body, headers):
        seen.append((method, headers["Content-Type"]))
        return 200, "application/timestamp-reply", stamp.authority.reply(body)

    with serving(handle) as url:
        assert verify(ask_rfc3161(url, TEXT), root)
    assert seen == [("POST", "application/timestamp-query")]
    with serving(lambda *_: (503, "text/plain", b"")) as url, pytest.raises(UnavailableError, match="status 503"):
        ask_rfc3161(url, TEXT)


# --- refusals --------------------------------------------------------------------------------------------------------


def test_a_token_of_another_digest_is_refused(make, root):
    with pytest.raises(MismatchError, match=f"is of digest {digest_of(b'other').hex()}, expected {DIGEST.hex()}"):
        verify(make(leaf_of(root))(b"other"), root)


def test_a_chain_not_valid_at_the_time_signed_is_refused(make, root):
    past = {"begin": NOW - 90 * DAY, "end": NOW - 60 * DAY}
    with pytest.raises(SignatureError, match=r"certificate CN=time authority is valid from .* not when it signed"):
        verify(make(leaf_of(root, **past))(), root)
    old = issue("old root", ca=True, begin=NOW - 99 * DAY, end=NOW - DAY)
    with pytest.raises(SignatureError, match=r"certificate CN=old root is valid from"):
        verify(make(leaf_of(old))(), old)
    future = issue("new root", ca=True, begin=NOW + DAY)
    with pytest.raises(SignatureError, match=r"certificate CN=new root is valid from"):
        verify(make(leaf_of(future))(), future)


@pytest.mark.parametrize(
    ("usages", "critical", "reason"),
    [
        (None, True, "is for nothing, expected for timestamps alone"),
        ([ExtendedKeyUsageOID.CODE_SIGNING], True, "expected for timestamps alone"),
        ([*TIMES, ExtendedKeyUsageOID.CODE_SIGNING], True, "expected for timestamps alone"),
        (TIMES, False, "does not say so critically"),
    ],
)
def test_a_certificate_for_other_ends_is_refused(make, root, usages, critical, reason):
    signer = leaf_of(
        root
    )  # `openssl ts` itself wants the right usage, so another certificate for its key is sent along
    other = leaf_of(root, usages=usages, critical=critical, key=signer.key)
    token = resign(make(signer)(), signer, other)
    with pytest.raises(SignatureError, match=reason):
        verify(token, root)


def test_a_certificate_authority_is_refused_as_time_authority(make, root):
    signer = leaf_of(root)
    authority = leaf_of(root, ca=True, key=signer.key)
    with pytest.raises(SignatureError, match="is a certificate authority's"):
        verify(resign(make(signer)(), signer, authority), root)
    issuing = leaf_of(root, key=signer.key, key_usage=["digital_signature", "key_cert_sign"])
    with pytest.raises(SignatureError, match="is for issuing certificates"):
        verify(resign(make(signer)(), signer, issuing), root)
    sealing = leaf_of(root, key=signer.key, key_usage=["key_encipherment"])
    with pytest.raises(SignatureError, match="is not for signatures"):
        verify(resign(make(signer)(), signer, sealing), root)


def test_resigned_tokens_hold_when_the_certificate_is_right(make, root):
    """So the refusals above are of the certificates, and not of how the tests make their tokens."""
    signer = leaf_of(root)
    for other in (leaf_of(root, key=signer.key), leaf_of(root, key=signer.key, key_usage=["digital_signature"])):
        assert verify(resign(make(signer)(), signer, other), root)


def test_an_authority_under_a_root_that_is_not_pinned_is_not_believed(make, root):
    foreign = issue("foreign root", ca=True)
    token = make(leaf_of(foreign), chain=[foreign])()
    with pytest.raises(UnavailableError, match=r"CN=time authority is not under any of the 1 roots you trust"):
        verify(token, root)
    namesake = issue("root", ca=True)  # of the pinned root, by name alone
    with pytest.raises(UnavailableError, match="is not under any"):
        verify(make(leaf_of(namesake), chain=[namesake])(), root)


def test_a_leaf_certificate_out_of_the_bag_is_never_taken_for_the_signers(make, root):
    """GHSA-3xxc-pwj6-jgrj: a stranger's signature, with a certificate of the trusted authority put beside it."""
    foreign = issue("foreign root", ca=True)
    trusted = leaf_of(root)
    token = make(leaf_of(foreign), chain=[foreign])()
    for certificates in ([trusted.der], [trusted.der, *parse_token(token).certificates]):
        with pytest.raises(UnavailableError):
            verify(format_minimal(parse_token(token), certificates), root)
    twin = leaf_of(root, serial=77)
    signer = leaf_of(root, serial=77)
    token = make(signer)()
    assert verify(token, root)
    with pytest.raises(SignatureError, match="2 certificates have the issuer and serial number"):
        verify(format_minimal(parse_token(token), [twin.der, signer.der]), root)
    with pytest.raises(SignatureError, match="not the one that the timestamp says"):
        verify(format_minimal(parse_token(token), [twin.der]), root)
    with pytest.raises(UnavailableError, match="did not come with it"):
        verify(format_minimal(parse_token(token), []), root)
    assert verify(format_minimal(parse_token(token), []), root, signer)


def test_an_issuer_that_may_not_issue_is_refused(make, root):
    for issuer, reason in (
        (issue("no authority", root), "is not a certificate authority's"),
        (issue("no authority", root, basic=False), "is not a certificate authority's"),
        (issue("no authority", root, ca=True, key_usage=["digital_signature"]), "is not a certificate authority's"),
    ):
        with pytest.raises(SignatureError, match=reason):
            verify(make(leaf_of(issuer), chain=[issuer])(), root)
    short = issue("short root", ca=True, path_length=0)
    middle = issue("middle", short, ca=True)
    with pytest.raises(SignatureError, match="allows 0 authorities below it, there are 1"):
        verify(make(leaf_of(middle), chain=[middle])(), short)


def test_a_policy_that_will_not_do_is_refused(make, root):
    token = make(leaf_of(root))()
    assert verify(token, root, policies=["1.2.3.4.1"])
    with pytest.raises(MismatchError, match=r"under policy 1\.2\.3\.4\.1, expected 1\.2\.3"):
        verify(token, root, policies=["1.2.3"])


def test_a_token_cut_short_anywhere_is_malformed(make, root):
    token = make(leaf_of(root))()
    for end in range(0, len(token), 37):
        with pytest.raises(FormatError):
            verify(token[:end], root)
    with pytest.raises(FormatError, match="2 DER elements"):
        verify(token + b"\x05\x00", root)


def test_no_changed_byte_makes_a_token_say_something_else(make, root):
    token = make(leaf_of(root))()
    truth = verify(token, root)
    refused = 0
    for position in range(len(token)):
        changed = token[:position] + bytes([token[position] ^ (1 << position % 8)]) + token[position + 1 :]
        try:
            assert verify(changed, root) == truth
        except (FormatError, MismatchError, SignatureError, UnavailableError):
            refused += 1
    assert refused > 0.95 * len(token)


def test_a_reply_must_be_to_the_request(make, root):
    stamp = make(leaf_of(root))
    first, second, other = make_request(TEXT), make_request(TEXT), make_request(b"other")
    assert first.nonce != second.nonce
    assert first.digest == DIGEST
    reply = stamp.authority.reply(first.data)
    assert read_reply(reply, first)
    with pytest.raises(MismatchError, match="another nonce"):
        read_reply(reply, second)
    with pytest.raises(MismatchError, match="is of digest"):
        read_reply(reply, other)


def test_a_refusal_is_told_with_its_reason():
    rejection = encode(SEQUENCE, encode(INTEGER, b"\x02"), encode(SEQUENCE, encode(0x0C, b"bad algorithm")))
    with pytest.raises(UnavailableError, match="with status 2: 'bad algorithm'"):
        read_reply(encode(SEQUENCE, rejection), make_request(TEXT))
    for malformed in (b"", b"\x30\x00", b"\x30\x80", b"<html>", b"\x30\x02\x30\x00", bytes(1 << 17)):
        with pytest.raises(FormatError):
            read_reply(malformed, make_request(TEXT))


def test_without_the_extra_nothing_is_called_true(make, root, monkeypatch):
    token = make(leaf_of(root))()
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    with pytest.raises(UnavailableError, match=re.escape("pip install 'wherefrom[timestamps]'")):
        verify(token, root)


@pytest.mark.parametrize(("pem", "reason"), [(b"", "PEM"), (b"junk", "PEM")])
def test_roots_that_cannot_be_read_are_malformed(make, root, pem, reason):
    with pytest.raises(FormatError, match=reason):
        verify_rfc3161(make(leaf_of(root))(), DIGEST, roots=[pem])


def test_a_file_without_a_root_is_refused(make, root):
    leaf = leaf_of(root)
    with pytest.raises(FormatError, match="none of 1 certificates of time authorities is a root"):
        verify(make(leaf)(), leaf)


def test_a_chain_counts_as_it_was_at_the_time_signed_whatever_has_become_of_it(make, root):
    long_ago = {"begin": datetime(2019, 1, 1, tzinfo=UTC), "end": datetime(2021, 1, 1, tzinfo=UTC)}
    old_root = issue("old root", ca=True, **long_ago)
    signer = leaf_of(root)
    expired = leaf_of(old_root, key=signer.key, **long_ago)
    token = resign(make(signer)(), signer, expired, time=b"20200229120000.5Z")
    assert verify(token, old_root).time == datetime(2020, 2, 29, 12, 0, 0, 500_000, tzinfo=UTC)
    too_late = resign(make(signer)(), signer, expired, time=b"20210101000001Z")
    with pytest.raises(SignatureError, match="not when it signed: 2021-01-01 00:00:01"):
        verify(too_late, old_root)
    too_early = resign(make(signer)(), signer, leaf_of(root, key=signer.key), time=b"20200229120000Z")
    with pytest.raises(SignatureError, match="not when it signed: 2020-02-29"):
        verify(too_early, root)


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["desc"])
def test_tokens_of_other_authorities_are_judged_as_the_vectors_say(case):
    def judge():
        token, digest = base64.b64decode(case["token"]), bytes.fromhex(case["digest"])
        return verify_rfc3161(token, digest, roots=[case["roots"].encode()])

    if error := case["want"].get("error"):
        with pytest.raises(WherefromError, match=f"^{re.escape(case['want']['message'])}") as raised:
            judge()
        assert type(raised.value).__name__ == error
        return
    timestamp = judge()
    assert timestamp.time.isoformat() == case["want"]["time"]
    assert timestamp.authority == case["want"]["authority"]
    assert timestamp.accuracy == timedelta(microseconds=case["want"]["accuracyMicroseconds"])


@pytest.mark.parametrize(
    "time", [b"20201301000000Z", b"20200101000000", b"20200101000000.0Z", b"20200101000000.Z", b"2020010100Z"]
)
def test_a_time_that_is_none_is_malformed(make, root, time):
    signer = leaf_of(root)
    with pytest.raises(FormatError, match="timestamp: time"):
        parse_token(resign(make(signer)(), signer, signer, time=time))


def test_the_client_library_agrees_with_us_on_what_openssl_signs(make, root):
    import rfc3161_client

    token = make(leaf_of(root))()
    reply = encode(SEQUENCE, encode(SEQUENCE, encode(INTEGER, b"\x00")), token)
    theirs = rfc3161_client.decode_timestamp_response(reply)
    ours = parse_token(token).info
    assert theirs.tst_info.gen_time == ours.time.replace(microsecond=0)
    assert theirs.tst_info.nonce == ours.nonce
    assert theirs.tst_info.serial_number == ours.serial
    assert theirs.tst_info.policy.dotted_string == ours.policy
    assert theirs.tst_info.message_imprint.message == ours.imprint == DIGEST


@given(st.binary(max_size=400))
def test_any_bytes_are_a_token_or_malformed(data):
    with pytest.raises((FormatError, UnavailableError)):
        parse_token(data)


# --- tokens as the tests want them -----------------------------------------------------------------------------------


def resign(token, signer, other, *, time=None):
    """The token signed again, with a certificate for the same key that OpenSSL would not sign with, or at `time`."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    parsed = parse_token(token)
    fields = parse_all(parse_one(parsed.parts[3], what="signer").content, what="fields")
    old, new = hashlib.sha256(signer.der).digest(), hashlib.sha256(other.der).digest()
    serials = [serial_of(item.certificate) for item in (signer, other)]
    content = parsed.content
    if time:
        [given] = [e for e in parse_all(parse_one(content, what="content").content, what="") if e.tag == 0x18]
        content = rebuild(content, {given.raw: encode(0x18, time)})
    changes = {
        encode(4, old): encode(4, new),
        serials[0]: serials[1],
        encode(4, hashlib.sha256(parsed.content).digest()): encode(4, hashlib.sha256(content).digest()),
    }
    attributes = [rebuild(item.raw, changes) for item in parse_all(fields[3].content, what="attributes")]
    attributes.sort()
    signature = other.key.sign(encode(0x31, *attributes), ec.ECDSA(hashes.SHA256()))
    issuers = [item.certificate.issuer.public_bytes() for item in (signer, other)]
    sid = rebuild(fields[1].raw, {serials[0]: serials[1], issuers[0]: issuers[1]})
    raw = [fields[0].raw, sid, fields[2].raw, encode(0xA0, *attributes), fields[4].raw, encode(4, signature)]
    encapsulated = rebuild(parsed.parts[2], {encode(4, parsed.content): encode(4, content)})
    parts = (*parsed.parts[:2], encapsulated, encode(SEQUENCE, *raw))
    return format_minimal(type(parsed)(**vars(parsed) | {"parts": parts}), [other.der])


def serial_of(certificate):
    number = certificate.serial_number
    return encode(INTEGER, number.to_bytes(number.bit_length() // 8 + 1))


def rebuild(raw, changes):
    """DER with some elements replaced, and all lengths around them mended."""
    if raw in changes:
        return changes[raw]
    element = parse_one(raw, what="element", tag=raw[0])
    if not element.tag & 0x20:
        return raw
    return encode(element.tag, *(rebuild(item.raw, changes) for item in parse_all(element.content, what="inside")))
