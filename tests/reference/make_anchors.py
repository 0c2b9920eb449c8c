"""Makes tests/vectors/anchors/opentimestamps.json, with the `opentimestamps` library: not with what it is to test.

python tests/reference/make_anchors.py
"""

import hashlib
import json
import sys
from pathlib import Path

from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, PendingAttestation, UnknownAttestation
from opentimestamps.core.op import OpAppend, OpHexlify, OpKECCAK256, OpPrepend, OpSHA1, OpSHA256
from opentimestamps.core.serialize import BytesSerializationContext
from opentimestamps.core.timestamp import DetachedTimestampFile, Timestamp

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "unit"))

from fake_bitcoin import REGTEST_WORK, Chain  # noqa: E402

DIGEST = hashlib.sha256(b"example.com/log\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n").digest()
PENDING = PendingAttestation("https://calendar.example")
UNKNOWN = UnknownAttestation(b"whatever", b"payload")


def written(timestamp, digest_operation=OpSHA256):
    context = BytesSerializationContext()
    DetachedTimestampFile(digest_operation(), timestamp).serialize(context)
    return context.getbytes()


def after(timestamp, *operations):
    for operation in operations:
        timestamp = timestamp.ops.add(operation)
    return timestamp


def main():
    chain, cases = Chain(3), []

    def case(desc, proof, **want):
        cases.append({"desc": desc, "proof": proof.hex(), "want": want})

    whole = Timestamp(DIGEST)
    end = after(whole, OpAppend(b"nonce"), OpSHA256(), OpPrepend(b"left"), OpSHA256(), OpSHA256())
    height = chain.mine(end.msg)
    end.attestations.add(BitcoinBlockHeaderAttestation(height))
    case("in a block", written(whole), height=height)
    after(whole, OpAppend(b"nonce"), OpSHA256()).attestations.add(PENDING)
    whole.attestations.add(UNKNOWN)
    case("in a block, pending and of an unknown kind too", written(whole), height=height)
    later = after(whole, OpSHA1(), OpHexlify(), OpSHA256())
    later.attestations.add(BitcoinBlockHeaderAttestation(chain.mine(later.msg)))
    case("in two blocks: the earlier counts", written(whole), height=height)
    good = written(whole)

    wrong = Timestamp(DIGEST)
    after(wrong, OpSHA256()).attestations.add(BitcoinBlockHeaderAttestation(height))
    case("a block of another Merkle root", written(wrong), error="MismatchError")
    after(whole, OpSHA256()).attestations.add(BitcoinBlockHeaderAttestation(1))
    case("one block holds, another does not", written(whole), error="MismatchError")
    other = Timestamp(bytes(32))
    other.attestations.add(PENDING)
    case("of another digest", written(other), error="MismatchError")

    for desc, attestation, error in (
        ("pending", PENDING, "PendingError"),
        ("of an unknown kind", UNKNOWN, "UnknownAttestationError"),
        ("in a block that is not known", BitcoinBlockHeaderAttestation(2**31 - 1), "UnavailableError"),
    ):
        timestamp = Timestamp(DIGEST)
        after(timestamp, OpSHA256()).attestations.add(attestation)
        case(desc, written(timestamp), error=error)
    keccak = Timestamp(DIGEST)
    after(keccak, OpKECCAK256()).attestations.add(BitcoinBlockHeaderAttestation(1))
    case("by a hash function that is not here", written(keccak), error="UnavailableError")

    sha1 = Timestamp(bytes(20))
    sha1.attestations.add(PENDING)
    case("of a SHA-1", written(sha1, OpSHA1), error="FormatError")
    pending = Timestamp(DIGEST)
    pending.attestations.add(PENDING)
    plain = written(pending)
    head, tail = plain[:65], plain[65:]
    for desc, changed in (
        ("nothing", b""),
        ("cut short", good[:-1]),
        ("a byte too many", good + b"\x00"),
        ("no attestation", head),
        ("version 2", plain[:31] + b"\x02" + plain[32:]),
        ("a number with a needless byte", plain[:31] + b"\x81\x00" + plain[32:]),
        ("the same attestation twice", head + b"\xff" + tail + tail),
        ("out of order", head + b"\xff" + tail + bytes(1 + 8 + 1)),
        ("an operation that is unknown", head + b"\x99" + tail),
        ("an empty append", head + b"\xf0\x00" + tail),
        ("a URI with a query", plain.replace(b"calendar.example", b"calendar?example")),
        ("256 operations in a row", head + b"\x08" * 256 + tail),
        ("257 attestations", head + b"".join(b"\xff\x00" + bytes([0, n]) + bytes(7) for n in range(256)) + tail),
        ("a message that grows too long", head + b"\xf3" * 8 + tail),
    ):
        case(desc, changed, error="FormatError")
    vectors = {
        "source": "made by tests/reference/make_anchors.py with opentimestamps 0.4.5; blocks of regtest's difficulty",
        "digest": DIGEST.hex(),
        "leastWork": REGTEST_WORK,
        "genesis": chain.genesis,
        "headers": [header.hex() for header in chain.headers],
        "cases": cases,
    }
    path = ROOT / "vectors/anchors/opentimestamps.json"
    path.write_text(json.dumps(vectors, indent=1) + "\n")
    print(f"{len(cases)} cases in {path}")


if __name__ == "__main__":
    main()
