"""Trust policies: whose checkpoints are believed. A file that belongs to who verifies, never to what is verified.

    # the log of the training platform, and two of three witnesses
    log example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k
    witness W1 witness.example/w1+… https://witness.example/
    witness W2 …
    witness W3 …
    group most 2 W1 W2 W3
    quorum most

A checkpoint is believed if one of the logs signed it, and the quorum's witnesses cosigned it. Source: C2SP tlog-policy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from wherefrom.errors import FormatError
from wherefrom.notes.keys import (
    ED25519,
    ED25519_COSIGNATURE,
    ML_DSA_44_COSIGNATURE,
    VerifierKey,
    format_verifier_key,
    parse_verifier_key,
)
from wherefrom.notes.strict import parse_decimal

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_POLICY_BYTES: Final = 1 << 20
NO_QUORUM: Final = b"none"
"""The quorum that asks for no witness."""

_NOT_IN_LINES: Final = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_NOT_IN_WORDS: Final = re.compile(rb"[\x00-\x20\x7f]")


@dataclass(frozen=True, slots=True)
class TrustedLog:
    """A log by its key, whose name is the log's origin: Ed25519, or ML-DSA-44.

    `url` is where to reach it, if that is known: octets without space or control character, which need not be UTF-8.
    """

    key: VerifierKey
    url: bytes | None = None

    def __post_init__(self) -> None:
        if self.key.key_type not in {ED25519, ML_DSA_44_COSIGNATURE}:
            raise FormatError(f"key {self.key.label} of type {self.key.key_type:#04x} is a witness's, not a log's")
        _check_words(self.key, self.url, of=f"log {self.key.label}")


@dataclass(frozen=True, slots=True)
class TrustedWitness:
    """A witness by its key. `name` stands for it within the policy: octets without space or control character.

    `url` is where it takes checkpoints (the "submission prefix" of C2SP tlog-witness), if that is known.
    """

    name: bytes
    key: VerifierKey
    url: bytes | None = None

    def __post_init__(self) -> None:
        if self.key.key_type not in {ED25519_COSIGNATURE, ML_DSA_44_COSIGNATURE}:
            raise FormatError(
                f"key {self.key.label} of type {self.key.key_type:#04x} makes no cosignatures, as a witness must"
            )
        _check_words(self.key, self.url, of=f"witness {_show(self.name)}")


@dataclass(frozen=True, slots=True)
class WitnessGroup:
    """Has witnessed a checkpoint when `threshold` of its members have: witnesses and groups defined before, by name."""

    name: bytes
    threshold: int
    members: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if not 1 <= self.threshold <= len(self.members):
            raise FormatError(
                f"threshold of group {_show(self.name)} is {self.threshold}, expected 1 to {len(self.members)}"
            )


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """A checkpoint is believed if one of these logs signed it and the quorum, a witness or group, witnessed it.

    Raises FormatError: no log at all, which would believe nothing; a public key or name given twice; a group that names
    what is not defined before it.
    """

    logs: tuple[TrustedLog, ...]
    witnesses: tuple[TrustedWitness, ...] = ()
    groups: tuple[WitnessGroup, ...] = ()
    quorum: bytes = NO_QUORUM

    def __post_init__(self) -> None:
        if not self.logs:
            raise FormatError("policy has no log line")
        names = _Names()
        items: tuple[TrustedLog | TrustedWitness | WitnessGroup, ...] = (*self.logs, *self.witnesses, *self.groups)
        for item in items:
            names.define(item)
        names.check_quorum(self.quorum)

    @property
    def log_keys(self) -> tuple[VerifierKey, ...]:
        return tuple(log.key for log in self.logs)

    @property
    def known_keys(self) -> tuple[VerifierKey, ...]:
        """Keys of logs and witnesses. A key may be on a line of each kind, as a log's own ML-DSA-44 key may."""
        keys = (*self.log_keys, *(witness.key for witness in self.witnesses))
        return tuple({key.label: key for key in keys}.values())

    def find_witnessed(self, cosigned_by: Iterable[VerifierKey]) -> frozenset[bytes]:
        """The names of the witnesses and groups that have witnessed what these keys cosigned."""
        keys = set(cosigned_by)
        names = {witness.name for witness in self.witnesses if witness.key in keys}
        for group in self.groups:  # each comes after its members
            if sum(member in names for member in group.members) >= group.threshold:
                names.add(group.name)
        return frozenset(names)

    def is_quorum(self, cosigned_by: Iterable[VerifierKey]) -> bool:
        """Whether cosignatures by these keys are enough."""
        return self.quorum == NO_QUORUM or self.quorum in self.find_witnessed(cosigned_by)


def format_policy(policy: TrustPolicy) -> bytes:
    """A line for each log, witness and group, in order, then the quorum."""
    lines = [[b"log", format_verifier_key(log.key).encode(), *([log.url] if log.url else [])] for log in policy.logs]
    for witness in policy.witnesses:
        key = format_verifier_key(witness.key).encode()
        lines.append([b"witness", witness.name, key, *([witness.url] if witness.url else [])])
    for group in policy.groups:
        words = {len(group.members): b"all", 1: b"any"}
        threshold = words.get(group.threshold, b"%d" % group.threshold)
        lines.append([b"group", group.name, threshold, *group.members])
    lines.append([b"quorum", policy.quorum])
    return b"".join(b" ".join(words) + b"\n" for words in lines)


def parse_policy(data: bytes) -> TrustPolicy:
    """Read a policy file of at most 1 MiB. Raises FormatError with the line number."""
    if len(data) > MAX_POLICY_BYTES:
        raise FormatError(f"policy has {len(data)} bytes, expected at most {MAX_POLICY_BYTES}")
    *lines, rest = data.split(b"\n")
    draft = _Draft()
    for number, line in enumerate(lines, start=1):
        try:
            draft.add(line)
        except FormatError as error:
            raise FormatError(f"policy line {number}: {error}") from error
    if rest:
        raise FormatError(f"policy line {len(lines) + 1}: no newline at its end")
    if draft.quorum is None:
        raise FormatError("policy has no quorum line")
    return TrustPolicy(tuple(draft.logs), tuple(draft.witnesses), tuple(draft.groups), draft.quorum)


@dataclass(slots=True)
class _Names:
    """What is defined so far. Names are opaque octets, as the specification wants them."""

    defined: set[bytes] = field(default_factory=set)
    members: set[bytes] = field(default_factory=set)
    log_keys: set[bytes] = field(default_factory=set)
    witness_keys: set[bytes] = field(default_factory=set)
    labels: dict[str, VerifierKey] = field(default_factory=dict)

    def define(self, item: TrustedLog | TrustedWitness | WitnessGroup) -> None:
        if not isinstance(item, WitnessGroup) and self.labels.setdefault(item.key.label, item.key) != item.key:
            # Key ids are short: else who picks a witness's key could have its signatures taken for the log's.
            raise FormatError(f"two keys share the name and key id {item.key.label}")
        match item:
            case TrustedLog(key):
                _check_new(key.public, self.log_keys, what=f"public key of log {key.label}")
            case TrustedWitness(name, key):
                _check_new(key.public, self.witness_keys, what=f"public key of witness {_show(name)}")
                self._add(name)
            case WitnessGroup(name, _, members):
                for member in members:
                    if member not in self.defined:
                        raise FormatError(
                            f"group {_show(name)} has member {_show(member)}, which no line before defines"
                        )
                    _check_new(member, self.members, what=f"group member {_show(member)}")
                self._add(name)

    def _add(self, name: bytes) -> None:
        if name == NO_QUORUM:
            raise FormatError("the name 'none' is reserved")
        if not name or _NOT_IN_WORDS.search(name):
            raise FormatError(f"name {_show(name)} is empty, or has a space or control character")
        _check_new(name, self.defined, what=f"name {_show(name)}")

    def check_quorum(self, name: bytes) -> None:
        if name != NO_QUORUM and name not in self.defined:
            raise FormatError(f"quorum {_show(name)} is not 'none' and not a name that a line before defines")


@dataclass(slots=True)
class _Draft:
    """What the lines so far have said."""

    logs: list[TrustedLog] = field(default_factory=list)
    witnesses: list[TrustedWitness] = field(default_factory=list)
    groups: list[WitnessGroup] = field(default_factory=list)
    quorum: bytes | None = None
    names: _Names = field(default_factory=_Names)

    def add(self, line: bytes) -> None:
        if bad := _NOT_IN_LINES.search(line):
            raise FormatError(f"octet {bad[0][0]:#04x} is not allowed")
        match line.split():
            case []:
                return
            case [word, *_] if word.startswith(b"#"):
                return
            case [b"log", vkey, *url] if len(url) < 2:
                log = TrustedLog(_parse_key(vkey), *url)
                self.names.define(log)
                self.logs.append(log)
            case [b"witness", name, vkey, *url] if len(url) < 2:
                witness = TrustedWitness(name, _parse_key(vkey), *url)
                self.names.define(witness)
                self.witnesses.append(witness)
            case [b"group", name, threshold, *members] if members:
                group = WitnessGroup(name, _parse_threshold(threshold, name, len(members)), tuple(members))
                self.names.define(group)
                self.groups.append(group)
            case [b"quorum", name]:
                if self.quorum is not None:
                    raise FormatError("second quorum line")
                self.names.check_quorum(name)
                self.quorum = name
            case [word, *_]:
                raise FormatError(
                    f"{_show(word)} line is not 'log <vkey> [<url>]', 'witness <name> <vkey> [<url>]', "
                    "'group <name> all|any|<k> <name>...' or 'quorum <name>'"
                )


def _parse_key(vkey: bytes) -> VerifierKey:
    try:
        text = vkey.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError("verifier key is not UTF-8") from error
    return parse_verifier_key(text)


def _parse_threshold(word: bytes, name: bytes, count: int) -> int:
    if word == b"all":
        return count
    if word == b"any":
        return 1
    return parse_decimal(word.decode("latin-1"), what=f"threshold of group {_show(name)}", most=count)


def _check_words(key: VerifierKey, url: bytes | None, *, of: str) -> None:
    if _NOT_IN_WORDS.search(key.name.encode()):  # U+007F, which a note may have
        raise FormatError(f"key {key.label!r} of {of!r} has a control character, which no policy may hold")
    if url is not None and (not url or _NOT_IN_WORDS.search(url)):
        raise FormatError(f"URL {url!r} of {of} is empty, or has a space or control character")


def _check_new(item: bytes, seen: set[bytes], *, what: str) -> None:
    if item in seen:
        raise FormatError(f"{what} is given twice")
    seen.add(item)


def _show(name: bytes) -> str:
    return repr(name.decode("utf-8", "backslashreplace"))
