"""Where the fuzzing of a format begins: right and wrong examples of it, from tests/vectors."""

from __future__ import annotations

import base64
import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).parents[1] / "vectors"


@functools.cache
def read(name: str) -> Any:
    return json.loads((VECTORS / name).read_text())


def texts(name: str, field: str) -> list[bytes]:
    """One field of each case of a file of vectors, as UTF-8 wherever it can be."""
    return [case[field].encode("utf-8", "surrogatepass") for case in read(name)["cases"] if case.get(field) is not None]


def notes() -> list[bytes]:
    foreign = [base64.b64decode(case["note"]) for case in read("notes/golang-and-c2sp-notes.json")["cases"]]
    signed = read("merkle/tessera-log-of-15.json")["checkpoints"].values()
    return texts("notes/notes.json", "note") + foreign + [note.encode() for note in signed]


def checkpoints() -> list[bytes]:
    return texts("notes/checkpoints.json", "text")


def policies() -> list[bytes]:
    return texts("notes/policies.json", "policy")


def verifier_keys() -> list[bytes]:
    return texts("notes/verifier-keys.json", "text")


def signing_keys() -> list[bytes]:
    return texts("notes/signing-keys.json", "text")


def tile_paths() -> list[bytes]:
    return texts("merkle/tile-paths.json", "path")


def entries_paths() -> list[bytes]:
    return texts("merkle/entries-paths.json", "path")


def proofs_of(kind: str) -> list[bytes]:
    """Proofs in the form in which `targets` takes them apart."""
    numbers = ("index", "size") if kind == "inclusion" else ("old_size", "new_size")
    ends = ("leaf_hash", "root") if kind == "inclusion" else ("old_root", "new_root")
    found = []
    for case in read(f"merkle/{kind}.json")["cases"]:
        if all(0 <= case[number] < 2**64 for number in numbers):
            hashes = [*(case[end] for end in ends), *case["proof"]]
            if all(len(text) == 64 for text in hashes):
                found.append(b"".join(case[number].to_bytes(8) for number in numbers) + bytes.fromhex("".join(hashes)))
    return found


def tiles() -> list[bytes]:
    """Tiles behind a size, in the form in which `targets` takes them apart."""
    files = read("merkle/tessera-log-of-15.json")["files_base64"].items()
    narrow = [base64.b64decode(data) for path, data in files if "entries" not in path]
    sized = [(len(tile) // 32, tile) for tile in narrow]
    sized += [(size, bytes(256 * 32)) for size in (256, 70_000, 2**40 + 5)]
    return [(size << 16 | 16).to_bytes(8) + tile for size, tile in sized]


def entry_bundles() -> list[bytes]:
    files = read("merkle/tessera-log-of-15.json")["files_base64"].items()
    return [base64.b64decode(data) for path, data in files if "entries" in path]


def evidence() -> list[bytes]:
    return [(VECTORS / "evidence/good.wherefrom").read_bytes()]


def _exhibits() -> Iterator[dict[str, Any]]:
    for data in evidence():
        yield from json.loads(data)["statements"]


def envelopes() -> list[bytes]:
    return [json.dumps(e["envelope"], sort_keys=True, separators=(",", ":")).encode() for e in _exhibits()]


def statements() -> list[bytes]:
    each_kind = [case["payload"].encode() for case in read("statements/entries.json")["cases"]]
    return [base64.b64decode(exhibit["envelope"]["payload"]) for exhibit in _exhibits()] + each_kind


def published_statements() -> list[bytes]:
    found = []
    for exhibit in _exhibits():
        beside = {"envelope": exhibit["envelope"], "index": exhibit["index"], "salt": exhibit["salt"]}
        found.append(json.dumps(beside, sort_keys=True, separators=(",", ":")).encode() + b"\n")
    return [b"".join(found), *found]


def statements_paths() -> list[bytes]:
    return [path.replace(b"tile/entries", b"statements") for path in entries_paths()]


def lineages() -> list[bytes]:
    view = b'{"rows":3,"sha256":"%b"}' % (b"0a" * 32)
    return [b'{"size":3,"type":"wherefrom-lineage-1","views":{"edges":%b,"runs":%b}}\n' % (view, view)]


def split_views() -> list[bytes]:
    return texts("tlog/split-views.json", "evidence")


def add_checkpoints() -> list[bytes]:
    return texts("witness/litewitness.json", "body")


def signature_lines() -> list[bytes]:
    cosigned = texts("notes/cosignatures.json", "note") + texts("notes/cosignatures-of-others.json", "note")
    return [note.rpartition(b"\n\n")[2] for note in cosigned]


def ots_proofs() -> list[bytes]:
    return [bytes.fromhex(case["proof"]) for case in read("anchors/opentimestamps.json")["cases"]]


def ots_branches() -> list[bytes]:
    """What stands behind the digest of a proof."""
    return [proof[65:] for proof in ots_proofs()]


def header_files() -> list[bytes]:
    headers = read("anchors/opentimestamps.json")["headers"]
    listed = "".join(f"{height} {header}\n" for height, header in enumerate(headers))
    return [bytes.fromhex("".join(headers)), listed.encode()]


def tokens() -> list[bytes]:
    return [base64.b64decode(case["token"]) for case in read("anchors/rfc3161.json")["cases"]]


def time_replies() -> list[bytes]:
    """Tokens as replies that grant them, and a refusal."""
    granted = []
    for token in tokens():
        inside = b"\x30\x03\x02\x01\x00" + token
        granted.append(b"\x30\x82" + len(inside).to_bytes(2) + inside)
    return [*granted, b"\x30\x0b\x30\x09\x02\x01\x02\x30\x04\x0c\x02no"]


def carried_anchors() -> list[bytes]:
    """Two checkpoints with a token and a proof each, as an evidence file carries them; they prove nothing together."""
    notes = read("merkle/tessera-log-of-15.json")["checkpoints"]
    proofs = [
        {"authority": "https://time.example", "kind": kind, "proof": base64.b64encode(proof).decode()}
        for kind, proof in (("opentimestamps", ots_proofs()[0]), ("rfc3161", tokens()[0]))
    ]
    sized = [notes[f"checkpoint.{size}"] for size in (3, 7)]
    anchors = [{"checkpoint": note, "consistency": ["ab" * 32], "proofs": proofs} for note in sized]
    return [json.dumps({"anchors": anchors}, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()]


def key_files() -> list[bytes]:
    return texts("signers/key-files.json", "file")


def pkcs11_uris() -> list[bytes]:
    return texts("signers/pkcs11-uris.json", "uri")


def entries() -> list[bytes]:
    wrong = [case["text"].encode() for case in read("statements/entries.json")["wrong"] if case["what"] == "entry"]
    return [exhibit["entry"].encode() for exhibit in _exhibits()] + wrong


def record_proofs() -> list[bytes]:
    return [case["proof"].encode() for case in read("fingerprints/proofs.json")["proofs"]]


def json_documents() -> list[bytes]:
    names = sorted((VECTORS / "openlineage/examples").glob("*.json"))
    return [path.read_bytes() for path in names] + [b'{"a":[1,-0.5e3,null,true,"\\u00e9"]}', b"[" * 100 + b"]" * 100]


def openlineage_events() -> list[bytes]:
    lines = [
        line
        for path in sorted((VECTORS / "openlineage/examples").glob("*.jsonl"))
        for line in path.read_bytes().split(b"\n")
    ]
    shapes = [json.dumps(case["event"]).encode() for case in read("lineage/shapes.json")["cases"]]
    return [path.read_bytes() for path in sorted((VECTORS / "openlineage/examples").glob("*.json"))] + lines + shapes
