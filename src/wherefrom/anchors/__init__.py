"""Outside time: RFC 3161 timestamps and OpenTimestamps proofs, made, read and verified.

    token = ask_rfc3161("http://tsa.example/", text)
    verify_rfc3161(token, sha256(text).digest(), roots=[pem]).time

    proof = submit("https://calendar.example", sha256(text).digest())
    proof = upgrade(proof, may_ask=lambda uri: True).proof  # some hours later
    verify_ots(format_ots(proof), sha256(text).digest(), open_headers("headers.bin")).time

`docs/spec/anchors.md` says what is accepted, and what each kind proves.
"""

from wherefrom.anchors.bitcoin import BlockHeader, BlockHeaders, HeaderFile, parse_header, parse_header_file
from wherefrom.anchors.calendars import Upgrade, submit, upgrade
from wherefrom.anchors.carried import AnchoredCheckpoint, AnchorProof, parse_anchors
from wherefrom.anchors.explorers import BitcoinCore, Esplora, open_headers
from wherefrom.anchors.ots import (
    Attestation,
    Branch,
    Operation,
    Proof,
    format_ots,
    is_upgraded,
    list_calendars,
    make_proof,
    parse_ots,
    verify_ots,
)
from wherefrom.anchors.rfc3161 import Request, ask_rfc3161, make_request, read_reply, verify_rfc3161
from wherefrom.anchors.timestamp import PendingError, ProvenTime, Timestamp, UnknownAttestationError, earliest_time

__all__ = [
    "AnchorProof",
    "AnchoredCheckpoint",
    "Attestation",
    "BitcoinCore",
    "BlockHeader",
    "BlockHeaders",
    "Branch",
    "Esplora",
    "HeaderFile",
    "Operation",
    "PendingError",
    "Proof",
    "ProvenTime",
    "Request",
    "Timestamp",
    "UnknownAttestationError",
    "Upgrade",
    "ask_rfc3161",
    "earliest_time",
    "format_ots",
    "is_upgraded",
    "list_calendars",
    "make_proof",
    "make_request",
    "open_headers",
    "parse_anchors",
    "parse_header",
    "parse_header_file",
    "parse_ots",
    "read_reply",
    "submit",
    "upgrade",
    "verify_ots",
    "verify_rfc3161",
]
