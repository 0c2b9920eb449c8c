"""Targets of what comes from outside: logs of others, witnesses, time authorities, key files, files for auditors."""

from __future__ import annotations

import atexit
import base64
import datetime
import functools
import tempfile
from pathlib import Path
from typing import Any

import seeds
from target import KIB, same, target, text, written

from wherefrom.anchors import (
    HeaderFile,
    Request,
    format_ots,
    parse_header_file,
    parse_ots,
    read_reply,
    verify_ots,
    verify_rfc3161,
)
from wherefrom.anchors.carried import parse_anchors, to_json
from wherefrom.anchors.ots import format_branches, parse_branches
from wherefrom.anchors.tokens import parse_token
from wherefrom.commitments.proof import format_proof, parse_proof
from wherefrom.errors import FormatError, UnavailableError, VerificationError
from wherefrom.notes import (
    ED25519_COSIGNATURE,
    SigningKey,
    format_signatures,
    parse_label,
    parse_policy,
    parse_signatures,
    parse_verifier_key,
)
from wherefrom.notes.keys import format_label
from wherefrom.signers.files import _parse_device
from wherefrom.signers.pkcs11_uri import parse_pkcs11_uri
from wherefrom.signers.sealed import parse_sealed_key
from wherefrom.strict import Fields, format_plain, parse_json
from wherefrom.tlog.add_checkpoint import format_add_checkpoint, format_size, parse_add_checkpoint, parse_size
from wherefrom.tlog.entries import format_entries, parse_entries
from wherefrom.tlog.split_view import format_split_view, parse_split_view, verify_split_view
from wherefrom.tlog.statements import (
    format_lineage,
    format_statements,
    format_statements_path,
    parse_lineage,
    parse_statements,
    parse_statements_path,
)
from wherefrom.tlog.witness import Witness
from wherefrom.tlog.witness_state import WitnessState
from wherefrom.verify import Outcome, parse_bundle, verify_bundle, verify_proof

# --- logs of others, and what they publish ----------------------------------------------------------------------------


@target(parse_entries, seeds.entry_bundles, most=64 * KIB)
def entry_bundle(data: bytes, value: Any) -> None:
    assert format_entries(value) == data


@target(text(parse_statements_path), seeds.statements_paths)
def statements_path(data: bytes, value: Any) -> None:
    assert format_statements_path(value) == written(data)


@target(lambda data: parse_statements(data, 0), seeds.published_statements, most=64 * KIB, cost=8)
def published_statements(data: bytes, value: Any) -> None:
    assert format_statements(value) == data


@target(parse_lineage, seeds.lineages)
def published_lineage(data: bytes, value: Any) -> None:
    assert format_lineage(value) == data


@target(parse_split_view, seeds.split_views, most=16 * KIB, cost=4)
def split_view(data: bytes, value: Any) -> None:
    assert format_split_view(value) == data


_SPLIT = parse_policy(seeds.read("tlog/split-views.json")["cases"][0]["policy"].encode())


@target(same, seeds.split_views, most=16 * KIB, cost=10)
def split_view_verdict(data: bytes, value: Any) -> None:
    """A verdict on any bytes; nothing is raised, and what holds can be read."""
    if verify_split_view(data, _SPLIT).outcome is Outcome.TRUE:
        parse_split_view(data)


# --- witnesses --------------------------------------------------------------------------------------------------------


@target(parse_add_checkpoint, seeds.add_checkpoints)
def add_checkpoint(data: bytes, value: Any) -> None:
    assert format_add_checkpoint(value) == data


@functools.cache
def _witness() -> Witness:
    """That of litewitness's vectors, with a state that lives as long as this process."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    state = WitnessState.create(Path(folder.name) / "state")
    atexit.register(state.close)
    key = SigningKey("witness.example", bytes(32), ED25519_COSIGNATURE)
    return Witness([key], [parse_verifier_key(seeds.read("witness/litewitness.json")["vkey"])], state)


@target(same, seeds.add_checkpoints, cost=8)
def witness_answer(data: bytes, value: Any) -> None:
    """Any request is answered, with a status of the protocol; none is cosigned that the log did not sign."""
    answer = _witness().add_checkpoint(data)
    assert answer.status in {200, 400, 403, 404, 409, 422}
    if answer.status == 200:
        text, *signed = (body.partition(b"\n\n")[2].rpartition(b"\n\n")[0] for body in (data, *seeds.add_checkpoints()))
        assert text in signed


@target(parse_size, lambda: [b"0\n", b"20852014\n"])
def witness_size(data: bytes, value: Any) -> None:
    assert format_size(value) == data


@target(text(parse_signatures), seeds.signature_lines)
def signature_lines(data: bytes, value: Any) -> None:
    assert format_signatures(value).decode() == written(data)


@target(text(parse_label), lambda: [b"example.com/log+00ff10aa"])
def key_label(data: bytes, value: Any) -> None:
    assert format_label(*value) == written(data)


# --- outside time -----------------------------------------------------------------------------------------------------


@target(parse_ots, seeds.ots_proofs)
def ots_proof(data: bytes, value: Any) -> None:
    assert format_ots(value) == data


@target(parse_branches, seeds.ots_branches)
def ots_branches(data: bytes, value: Any) -> None:
    """A calendar may put them in any order; we write one."""
    assert sorted(map(repr, parse_branches(format_branches(value)))) == sorted({repr(branch) for branch in value})


_OTS = seeds.read("anchors/opentimestamps.json")
_DIGEST = bytes.fromhex(_OTS["digest"])
_HEADERS = HeaderFile({height: bytes.fromhex(header) for height, header in enumerate(_OTS["headers"])})
_TIMES = {_HEADERS.read(height).time for height in _HEADERS.headers}


@target(
    lambda data: verify_ots(data, _DIGEST, _HEADERS, least_work=_OTS["leastWork"]),
    seeds.ots_proofs,
    raises=[FormatError, VerificationError, UnavailableError],
)
def ots_verdict(data: bytes, value: Any) -> None:
    assert value.time in _TIMES


@target(lambda data: parse_header_file(data, genesis=_OTS["genesis"], least_total_work=2), seeds.header_files)
def header_file(data: bytes, value: Any) -> None:
    for height in value.headers:
        assert value.read(height).time.tzinfo is datetime.UTC


_TSA = seeds.read("anchors/rfc3161.json")["cases"][0]
_ROOTS = [_TSA["roots"].encode()]
_IMPRINT = bytes.fromhex(_TSA["digest"])
_GIVEN = {parse_token(token).info.time for token in seeds.tokens()}
_ASKED = Request(b"", _IMPRINT, parse_token(base64.b64decode(_TSA["token"])).info.nonce or 0)


@target(
    lambda data: verify_rfc3161(data, _IMPRINT, roots=_ROOTS),
    seeds.tokens,
    raises=[FormatError, VerificationError, UnavailableError],
    most=16 * KIB,
    cost=20,
)
def rfc3161_verdict(data: bytes, value: Any) -> None:
    """No change of a token gives a time that no authority gave."""
    assert value.time in _GIVEN


@target(
    lambda data: read_reply(data, _ASKED),
    seeds.time_replies,
    raises=[FormatError, VerificationError, UnavailableError],
    most=16 * KIB,
    cost=4,
)
def time_reply(data: bytes, value: Any) -> None:
    assert value in data


def _parse_anchors(data: bytes) -> Any:
    return parse_anchors(Fields.of(parse_json(data), what="file"))


@target(_parse_anchors, seeds.carried_anchors, most=64 * KIB, cost=4)
def carried_anchors(data: bytes, value: Any) -> None:
    assert _parse_anchors(format_plain({"anchors": [to_json(anchor) for anchor in value]})) == value


# --- key files --------------------------------------------------------------------------------------------------------


@target(text(parse_sealed_key), seeds.key_files)
def sealed_key(data: bytes, value: Any) -> None:
    assert value.bound + base64.b64encode(value.sealed) + b"\n" == data


@target(text(_parse_device), seeds.key_files)
def device_key(data: bytes, value: Any) -> None:
    assert written(data).endswith(f"\n{value[1]}\n")


@target(text(parse_pkcs11_uri), seeds.pkcs11_uris)
def pkcs11_uri(data: bytes, value: Any) -> None:
    assert value.label is not None or value.id is not None


# --- what an auditor is handed ----------------------------------------------------------------------------------------


@target(parse_proof, seeds.record_proofs, most=64 * KIB, cost=4)
def record_proof(data: bytes, value: Any) -> None:
    assert parse_proof(format_proof(value)) == value


@target(same, seeds.record_proofs, most=64 * KIB, cost=8)
def record_proof_verdict(data: bytes, value: Any) -> None:
    """A verdict on any bytes; nothing is raised."""
    assert verify_proof(data).outcome in Outcome


@target(parse_bundle, seeds.evidence, most=256 * KIB, cost=20)
def bundle(data: bytes, value: Any) -> None:
    assert value.exhibits


_POLICY = parse_policy((seeds.VECTORS / "evidence/trust").read_bytes())


@target(same, seeds.evidence, most=256 * KIB, cost=100)
def bundle_verdict(data: bytes, value: Any) -> None:
    """A verdict on any bytes, and "true" on none but those that were issued."""
    assert (verify_bundle(data, _POLICY).outcome is Outcome.TRUE) == (data in seeds.evidence())
