"""Trust policies: whose checkpoints are believed. A file that belongs to who verifies, never to what is verified.

    # the log of the training platform
    log example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k
    quorum none

Source: C2SP tlog-policy. Its `log` lines and `quorum none` are supported. Lines that speak of witnesses are read with
all their rules, then refused as what this version cannot check: ignored, they would weaken the policy unnoticed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from wherefrom.errors import FormatError, UnavailableError
from wherefrom.notes.keys import (
    ED25519,
    ED25519_COSIGNATURE,
    ML_DSA_44_COSIGNATURE,
    VerifierKey,
    format_verifier_key,
    parse_verifier_key,
)
from wherefrom.notes.strict import parse_decimal

MAX_POLICY_BYTES: Final = 1 << 20

_NEEDS_WITNESSES: Final = "needs witness cosignatures, which this version cannot check"
_NONE: Final = b"none"
_NOT_IN_LINES: Final = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_NOT_IN_URLS: Final = re.compile(rb"[\x00-\x20\x7f]")


@dataclass(frozen=True, slots=True)
class TrustedLog:
    """A log by its key, whose name is the log's origin.

    `url` is where to reach it, if that is known: octets without space or control character, which need not be UTF-8.
    """

    key: VerifierKey
    url: bytes | None = None

    def __post_init__(self) -> None:
        if self.key.key_type != ED25519:
            raise UnavailableError(
                f"log key {self.key.label} signs with type {self.key.key_type:#04x}, which this version cannot check"
            )
        if self.url is not None and (not self.url or _NOT_IN_URLS.search(self.url)):
            raise FormatError(f"URL {self.url!r} of log {self.key.label} is empty, or has a space or control character")


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """A checkpoint is believed if one of these logs signed it; no witness is asked for (`quorum none`).

    Raises FormatError: no log at all, which would believe nothing, or a public key given twice.
    """

    logs: tuple[TrustedLog, ...]

    def __post_init__(self) -> None:
        if not self.logs:
            raise FormatError("policy has no log line")
        seen: set[bytes] = set()
        for log in self.logs:
            if log.key.public in seen:
                raise FormatError(f"policy has the public key of log {log.key.label} twice")
            seen.add(log.key.public)

    @property
    def verifier_keys(self) -> tuple[VerifierKey, ...]:
        """What `open_checkpoint` takes."""
        return tuple(log.key for log in self.logs)


def format_policy(policy: TrustPolicy) -> bytes:
    """One line for each log, in order, then `quorum none`."""
    lines = [
        b" ".join([b"log", format_verifier_key(log.key).encode(), *([log.url] if log.url else [])])
        for log in policy.logs
    ]
    return b"".join(line + b"\n" for line in (*lines, b"quorum none"))


def parse_policy(data: bytes) -> TrustPolicy:
    """Read a policy file of at most 1 MiB.

    Raises FormatError with the line number. UnavailableError: a well-formed policy that names witnesses, or has a log
    key of another type than Ed25519.
    """
    if len(data) > MAX_POLICY_BYTES:
        raise FormatError(f"policy has {len(data)} bytes, expected at most {MAX_POLICY_BYTES}")
    *lines, rest = data.split(b"\n")
    draft = _Draft()
    for number, line in enumerate(lines, start=1):
        try:
            draft.add(line)
        except FormatError as error:
            raise FormatError(f"policy line {number}: {error}") from error
        except UnavailableError as error:
            draft.unavailable.append(f"policy line {number}: {error}")
    if rest:
        raise FormatError(f"policy line {len(lines) + 1}: no newline at its end")
    if draft.quorum is None:
        raise FormatError("policy has no quorum line")
    if draft.unavailable:
        raise UnavailableError(draft.unavailable[0])
    return TrustPolicy(tuple(draft.logs))


@dataclass(slots=True)
class _Draft:
    """What the lines so far have said. Names are opaque octets, as the specification wants them."""

    logs: list[TrustedLog] = field(default_factory=list)
    quorum: bytes | None = None
    names: set[bytes] = field(default_factory=set)
    members: set[bytes] = field(default_factory=set)
    log_keys: set[bytes] = field(default_factory=set)
    witness_keys: set[bytes] = field(default_factory=set)
    unavailable: list[str] = field(default_factory=list)

    def add(self, line: bytes) -> None:
        if bad := _NOT_IN_LINES.search(line):
            raise FormatError(f"octet {bad[0][0]:#04x} is not allowed")
        match line.split():
            case []:
                return
            case [word, *_] if word.startswith(b"#"):
                return
            case [b"log", vkey, *url] if len(url) < 2:
                self._add_log(_parse_key(vkey), *url)
            case [b"witness", name, vkey, *url] if len(url) < 2:
                self._add_witness(name, _parse_key(vkey))
                raise UnavailableError(_NEEDS_WITNESSES)
            case [b"group", name, threshold, *members] if members:
                self._add_group(name, threshold, members)
                raise UnavailableError(_NEEDS_WITNESSES)
            case [b"quorum", name]:
                self._set_quorum(name)
            case [word, *_]:
                raise FormatError(
                    f"{_show(word)} line is not 'log <vkey> [<url>]', 'witness <name> <vkey> [<url>]', "
                    "'group <name> all|any|<k> <name>...' or 'quorum <name>'"
                )

    def _add_log(self, key: VerifierKey, url: bytes | None = None) -> None:
        _check_new(key.public, self.log_keys, what=f"public key of log {key.label}")
        self.logs.append(TrustedLog(key, url))

    def _add_witness(self, name: bytes, key: VerifierKey) -> None:
        if key.key_type not in {ED25519_COSIGNATURE, ML_DSA_44_COSIGNATURE}:
            raise FormatError(f"key {key.label} of type {key.key_type:#04x} makes no cosignatures, as a witness must")
        _check_new(key.public, self.witness_keys, what=f"public key of witness {_show(name)}")
        self._define(name)

    def _add_group(self, name: bytes, threshold: bytes, members: list[bytes]) -> None:
        for member in members:
            if member not in self.names:
                raise FormatError(f"group {_show(name)} has member {_show(member)}, which no line before defines")
            _check_new(member, self.members, what=f"group member {_show(member)}")
        if threshold not in {b"all", b"any"}:
            what = f"threshold of group {_show(name)}"
            if parse_decimal(threshold.decode("latin-1"), what=what, most=len(members)) == 0:
                raise FormatError(f"{what} is 0, expected 1 to {len(members)}")
        self._define(name)

    def _define(self, name: bytes) -> None:
        if name == _NONE:
            raise FormatError("the name 'none' is reserved")
        _check_new(name, self.names, what=f"name {_show(name)}")

    def _set_quorum(self, name: bytes) -> None:
        if self.quorum is not None:
            raise FormatError("second quorum line")
        if name != _NONE and name not in self.names:
            raise FormatError(f"quorum {_show(name)} is not 'none' and not a name that a line before defines")
        self.quorum = name


def _parse_key(vkey: bytes) -> VerifierKey:
    try:
        text = vkey.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError("verifier key is not UTF-8") from error
    return parse_verifier_key(text)


def _check_new(item: bytes, seen: set[bytes], *, what: str) -> None:
    if item in seen:
        raise FormatError(f"{what} is given twice")
    seen.add(item)


def _show(name: bytes) -> str:
    return repr(name.decode("utf-8", "backslashreplace"))
