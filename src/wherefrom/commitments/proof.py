"""The text of a proof about single records, read and written. Source: docs/spec/fingerprint-proofs-v1.md section 1."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NoReturn

from wherefrom.commitments.identity import UNSALTED, FilesFingerprint, KeyCommitment, RecordsFingerprint
from wherefrom.errors import FormatError
from wherefrom.merkle import HASH_SIZE
from wherefrom.strict import format_plain, parse_json, verify_canonical

HEADER: Final = "wf-proof-1"
MAX_BYTES: Final = 2**30
_NUMBER: Final = r"0|[1-9][0-9]{0,15}"
_CLAIM: Final = re.compile(rf"(present|absent) ({_NUMBER}) (?:([A-Za-z0-9+/]{{43}}=) )?(\{{.*)")
_LEAF: Final = re.compile(rf"leaf ({_NUMBER}) (\S+)")

CommittedSet = RecordsFingerprint | KeyCommitment | FilesFingerprint
"""What a proof can be about: something with an id, a root and leaves."""


@dataclass(frozen=True)
class Claim:
    """That a row is at an index of the set, or that it is not in it and `index` leaves are less than its own."""

    kind: Literal["present", "absent"]
    index: int
    row: Mapping[str, Any]
    """JSON values by column: docs/spec/fingerprint-proofs-v1.md section 2."""
    salt: bytes | None = None
    """32 bytes, in salted sets only."""


@dataclass(frozen=True)
class Proof:
    """Claims about one set, with what proves them. `part`, or `claims`, not both."""

    about: CommittedSet
    claims: tuple[Claim, ...]
    part: RecordsFingerprint | None
    leaves: Mapping[int, bytes]
    """Leaf hashes by index, beyond those that the claims give."""
    hashes: tuple[bytes, ...]
    """As `merkle.prove_leaves` orders them."""


def size_of(about: CommittedSet) -> int:
    """How many leaves the set's tree has."""
    match about:
        case RecordsFingerprint():
            return about.rows
        case KeyCommitment():
            return about.keys
        case FilesFingerprint():
            return about.count


def is_salted(about: CommittedSet) -> bool:
    return not isinstance(about, FilesFingerprint) and about.salt != UNSALTED


def parse_set(data: bytes, *, what: str) -> CommittedSet:
    """Read an identity object in canonical JSON. Raises FormatError."""
    value = parse_json(data, what=what)
    verify_canonical(data, value, what=what)
    kinds = {kind.ALGORITHM: kind for kind in (RecordsFingerprint, KeyCommitment, FilesFingerprint)}
    name = value.get("type") if isinstance(value, dict) else None
    if not isinstance(name, str) or name not in kinds:
        raise FormatError(f"{what}: expected an identity object of type {', '.join(kinds)}")
    return kinds[name].from_json(value)


def place_of(claim: Claim, row: str) -> tuple[int, bool, str]:
    """What claims ascend by; `row` is the row's text. No two leaves have one index, so a present row's is not asked."""
    return claim.index, claim.kind == "absent", row if claim.kind == "absent" else ""


def format_proof(proof: Proof) -> bytes:
    """The proof's text."""
    lines = [HEADER, format_plain(proof.about.to_json()).decode()]
    for claim in sorted(proof.claims, key=lambda claim: place_of(claim, format_row(claim.row))):
        salt = [] if claim.salt is None else [_base64(claim.salt)]
        lines.append(" ".join([claim.kind, str(claim.index), *salt, format_row(claim.row)]))
    if proof.part is not None:
        lines.append(f"part {format_plain(proof.part.to_json()).decode()}")
    lines += [f"leaf {index} {_base64(proof.leaves[index])}" for index in sorted(proof.leaves)]
    lines += ["", *map(_base64, proof.hashes)]
    return "".join(f"{line}\n" for line in lines).encode()


def format_row(row: Mapping[str, Any]) -> str:
    """A row on one line, its columns in name order."""
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)


def parse_proof(data: bytes) -> Proof:
    """Read a proof's text. Checks its form, not its truth. Raises FormatError naming the line."""
    return _Reader(data).read()


class _Reader:
    def __init__(self, data: bytes) -> None:
        if len(data) > MAX_BYTES:
            raise FormatError(f"a proof of {len(data)} bytes, expected at most {MAX_BYTES}")
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise FormatError(f"proof: not UTF-8 at byte {error.start}") from error
        if not text.startswith(f"{HEADER}\n"):
            raise FormatError(f"proof line 1: expected {HEADER!r}, got {text.partition(chr(10))[0][:40]!r}")
        if not text.endswith("\n"):
            raise FormatError("proof: the last line is cut off, expected a line end")
        self._lines = text[:-1].split("\n")
        self._at = 1

    def read(self) -> Proof:
        about = parse_set(self._next("the set").encode(), what=f"proof line {self._at}")
        claims, part = self._claims(is_salted(about)), None
        if self._peek().startswith("part "):
            if claims:
                self._fail("'part' beside other claims")
            found = parse_set(self._next("part").removeprefix("part ").encode(), what=f"proof line {self._at}")
            if not isinstance(found, RecordsFingerprint):
                self._fail(f"the part is a {found.ALGORITHM}, expected {RecordsFingerprint.ALGORITHM}", back=1)
            part = found
        elif not claims:
            self._fail("expected 'present', 'absent' or 'part'")
        leaves = self._leaves()
        if self._next("an empty line"):
            self._fail("expected 'leaf', or an empty line before the hashes", back=1)
        hashes = []
        while self._at < len(self._lines):
            hashes.append(self._hash(self._next("a hash")))
        return Proof(about, claims, part, leaves, tuple(hashes))

    def _claims(self, salted: bool) -> tuple[Claim, ...]:
        claims: list[Claim] = []
        last = (-1, False, "")
        while self._peek().startswith(("present ", "absent ")):
            match = _CLAIM.fullmatch(self._next("a claim"))
            if not match or bool(match[3]) != salted:
                form = "<index> <salt> {row}" if salted else "<index> {row}"
                self._fail(f"expected 'present' or 'absent' and {form}", back=1)
            what = f"proof line {self._at}"
            row = parse_json(match[4].encode(), what=what)
            kind: Literal["present", "absent"] = "present" if match[1] == "present" else "absent"
            claims.append(Claim(kind, int(match[2]), row, self._hash(match[3]) if salted else None))
            before, last = last, place_of(claims[-1], match[4])
            if last <= before:
                self._fail("claims must ascend: by index, present before absent, by the row's text", back=1)
        return tuple(claims)

    def _leaves(self) -> dict[int, bytes]:
        leaves: dict[int, bytes] = {}
        last = -1
        while self._peek().startswith("leaf "):
            match = _LEAF.fullmatch(self._next("a leaf"))
            if not match:
                self._fail("expected 'leaf <index> <hash>'", back=1)
            if int(match[1]) <= last:
                self._fail(f"leaf {match[1]} is not after leaf {last}", back=1)
            last = int(match[1])
            leaves[last] = self._hash(match[2])
        return leaves

    def _hash(self, text: str) -> bytes:
        try:
            value = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            value = b""
        if len(value) != HASH_SIZE or _base64(value) != text:
            self._fail(f"{text[:60]!r} is not {HASH_SIZE} bytes in base64", back=1)
        return value

    def _peek(self) -> str:
        return self._lines[self._at] if self._at < len(self._lines) else ""

    def _next(self, expected: str) -> str:
        if self._at >= len(self._lines):
            raise FormatError(f"proof: ends after line {len(self._lines)}, expected {expected}")
        self._at += 1
        return self._lines[self._at - 1]

    def _fail(self, problem: str, *, back: int = 0) -> NoReturn:
        raise FormatError(f"proof line {self._at + 1 - back}: {problem}")


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
