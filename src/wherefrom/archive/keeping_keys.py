"""The keys of an archive: whose signatures count, and stating, changing and ending them on the record.

Every step that another process may see is taken in an order in which everybody can go on recording, and what was
interrupted is finished by doing it again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from wherefrom import ledger
from wherefrom.archive.archive import Archive
from wherefrom.archive.folder import ArchiveFolder, second_name
from wherefrom.errors import ConflictError, FormatError, NotFoundError
from wherefrom.ledger import Receipt
from wherefrom.notes import (
    ED25519,
    ML_DSA_44_COSIGNATURE,
    Signer,
    SigningKey,
    VerifierKey,
    format_verifier_key,
    parse_policy,
)
from wherefrom.signers import (
    encrypt_key,
    identity_message,
    is_sealed,
    open_device,
    open_signer,
    read_passphrase,
    read_verifier_key,
    verify_identity,
    write_device_key,
    write_key,
)
from wherefrom.statements import (
    KeyBook,
    KeyRecord,
    Statement,
    format_statement,
    format_time,
    make_key_statement,
    parse_statement,
    sign_envelope,
)


@dataclass(frozen=True)
class Rotation:
    """A key and the one that has taken its place."""

    old: VerifierKey
    new: VerifierKey
    also: VerifierKey | None = None


def read_book(archive: Archive) -> KeyBook:
    """Whose signatures count, and since when."""
    with archive.reading() as (tables, views):
        return ledger.read_key_book(tables, views.list_key_entries(), [archive.log_key])


def list_log_keys(archive: Archive) -> list[VerifierKey]:
    """Every key that ever signed this ledger's checkpoints, the one of now first."""
    former = [_key(record) for record in read_book(archive).records if record.role == "log"]
    return [archive.log_key, *(key for key in former if key != archive.log_key)]


def find_key(archive: Archive, text: str) -> KeyRecord:
    """The key that a user means: `log`, `producer`, a label, or the eight digits of a key id. Raises NotFoundError."""
    book, files = read_book(archive), ArchiveFolder(archive.folder)
    if text in {"log", "producer"}:
        text = read_verifier_key(files.key_path(text)).label
    by_label = book.find(text)
    found = [by_label] if by_label else [r for r in book.records if r.key.label.rpartition("+")[2] == text]
    if len(found) != 1:
        known = ", ".join(record.key.label for record in book.records)
        raise NotFoundError(f"{len(found) or 'no'} keys {text!r} in this archive; known: {known}")
    return found[0]


def new_key(path: Path, name: str, *, hybrid: bool = False, encrypt: bool = False) -> list[VerifierKey]:
    """Make a key for a producer elsewhere, in a new file; `hybrid` makes a second in `<file>.ml-dsa`.

    Raises ConflictError, UnavailableError, FormatError for a name that no key may have.
    """
    made = []
    for key_type, place in ((ED25519, path), (ML_DSA_44_COSIGNATURE, path.with_name(f"{path.name}.ml-dsa"))):
        if key_type == ED25519 or hybrid:
            key = SigningKey.generate(name, key_type)
            write_key(place, key, passphrase=_passphrase_of(key) if encrypt else None)
            made.append(key.verifier_key)
    return made


def encrypt_keys(archive: Archive, passphrase: str) -> list[str]:
    """Seal every secret key in the archive's folder, those sealed before with the new passphrase; their file names.

    Keys in devices are left alone: their devices guard them.
    """
    done = []
    for path in sorted(ArchiveFolder(archive.folder).key_path("").iterdir()):
        if not path.name.startswith(".") and isinstance(open_signer(path), SigningKey):
            encrypt_key(path, passphrase)
            done.append(path.name)
    return done


def allow_key(archive: Archive, key: VerifierKey, *, also: VerifierKey | None = None) -> Receipt:
    """State that another producer's statements count from now on."""
    options = {"alsoKey": format_verifier_key(also)} if also else {}
    return _state(archive, _statement(key, **options))


def retire_key(archive: Archive, record: KeyRecord, *, reason: str | None = None) -> Receipt:
    """State that a producer's key counts no more; what it signed till then does. Raises ConflictError: it is ended."""
    if record.until is not None:
        raise ConflictError(f"{record.key.label} was {record.status} by entry {record.until} already")
    _require_producer(record, "retire")
    return _state(archive, _statement(_key(record), status="retired", **({"reason": reason} if reason else {})))


def revoke_key(archive: Archive, record: KeyRecord, *, compromised_at: datetime, reason: str) -> Receipt:
    """State that somebody else may have held a producer's key since a time: what came later counts no more."""
    _require_producer(record, "revoke")
    options = {"compromisedAt": format_time(compromised_at), "reason": reason}
    return _state(archive, _statement(_key(record), status="compromised", **options))


def identify_key(
    archive: Archive, record: KeyRecord, bundle: str, *, identity: str, issuer: str, trusted_root: Path | None = None
) -> Receipt:
    """Record who holds a producer's key, on sigstore's word, after checking it. Raises as `verify_identity` does."""
    _require_producer(record, "identify")
    key, *also = keys = _keys(record)
    verify_identity(bundle, identity_message(*keys), identity=identity, issuer=issuer, trusted_root=trusted_root)
    options = {"alsoKey": format_verifier_key(also[0])} if also else {}
    return _state(archive, _statement(key, identity={"bundle": bundle}, **options))


def check_identity(
    archive: Archive, record: KeyRecord, *, identity: str, issuer: str, trusted_root: Path | None = None
) -> int:
    """The index of the newest entry that shows who holds a key.

    Raises as `verify_identity` does, and NotFoundError: nobody said.
    """
    if not record.identities:
        raise NotFoundError(f"nobody said who holds {record.key.label}")
    with archive.reading() as (tables, _):
        [entry] = ledger.read_key_entries(tables, [record.identities[-1]])
    bundle = parse_statement(entry.envelope.payload).predicate["identity"]["bundle"]
    message = identity_message(*_keys(record))
    verify_identity(bundle, message, identity=identity, issuer=issuer, trusted_root=trusted_root)
    return entry.index


# --- changing the archive's own keys ---------------------------------------------------------------------------------


def rotate_producer(archive: Archive, *, hybrid: bool = False, device: str | None = None) -> Rotation:
    """Let this archive sign its statements with a new key, on the record.

    Args:
        hybrid: with a pair, Ed25519 and ML-DSA-44.
        device: URI of the new key; it is made here by default, and sealed if the old one is.

    The new key is stated, then used, then the old one retired: at each moment, what others record here counts.
    """
    files = ArchiveFolder(archive.folder)
    path, coming, before = (files.key_path(name) for name in ("producer", "producer.next", "producer.before"))
    if before.exists():  # what was interrupted is finished
        return _retire_former(archive, before, read_verifier_key(path))
    old = read_verifier_key(path)
    new = _prepare(coming, old.name, like=path, device=device)
    second = files.key_path(second_name("producer", new.verifier_key))
    also = None
    if hybrid or second.exists():
        also = _prepare(second, old.name, like=path, key_type=ML_DSA_44_COSIGNATURE).verifier_key
    allow_key(archive, new.verifier_key, also=also)
    os.link(path, before)
    coming.replace(path)
    return _retire_former(archive, before, new.verifier_key)


def _retire_former(archive: Archive, before: Path, new: VerifierKey) -> Rotation:
    """Retire the producer's key of before, if nobody did, and forget its secret."""
    old, book = read_verifier_key(before), read_book(archive)
    record, successor = book.find(old.label), book.find(new.label)
    if record and record.until is None:
        retire_key(archive, record, reason="rotated")
    before.with_name(second_name("producer", old)).unlink(missing_ok=True)
    before.unlink()
    return Rotation(old, new, _keys(successor)[-1] if successor and successor.also else None)


def rotate_log(
    archive: Archive, *, device: str | None = None, compromised_at: datetime | None = None, reason: str = "rotated"
) -> Rotation:
    """Give the ledger a new key, stated by the old one and answered by the new one.

    From here on checkpoints are signed by both, until `end_overlap`. With `compromised_at`, by the new one alone, and
    the trust file names the old key no more. Verifiers need the new trust file in either case.
    """
    files = ArchiveFolder(archive.folder)
    path, coming, before = (files.key_path(name) for name in ("log", "log.next", "log.before"))
    old = read_verifier_key(path)
    if before.exists() and not coming.exists():
        raise ConflictError(
            "the ledger's key is changing already: checkpoints are signed by two keys",
            hint="`wherefrom keys rotate log --end` first",
        )
    new = _prepare(coming, old.name, like=path, device=device)  # from now on it signs each checkpoint, too
    book = read_book(archive)
    if book.find(new.verifier_key.label) is None:
        _record(archive, _statement(new.verifier_key, role="log"), open_signer(path))
    if (record := book.find(old.label)) is None or record.until is None:
        options = {"compromisedAt": format_time(compromised_at)} if compromised_at else {}
        status = "compromised" if compromised_at else "retired"
        _record(archive, _statement(old, role="log", status=status, reason=reason, **options), new)
    _edit_trust(archive, lambda lines: _replace_log(lines, old, new.verifier_key, keep=compromised_at is None))
    if compromised_at is None and not before.exists():
        os.link(path, before)
    coming.replace(path)
    return Rotation(old, new.verifier_key)


def end_overlap(archive: Archive) -> VerifierKey:
    """Stop signing checkpoints with the ledger's former key, and forget it. Raises NotFoundError: there is none."""
    path = ArchiveFolder(archive.folder).key_path("log.before")
    key = read_verifier_key(path)
    path.unlink()
    return key


def sign_checkpoints_twice(archive: Archive) -> VerifierKey:
    """Have an ML-DSA-44 key of the ledger cosign each checkpoint from now on, and the trust file ask for it."""
    path = ArchiveFolder(archive.folder).key_path("log.ml-dsa")
    like = ArchiveFolder(archive.folder).key_path("log")
    key = _prepare(path, archive.origin, like=like, key_type=ML_DSA_44_COSIGNATURE).verifier_key
    if format_verifier_key(key).encode() in archive.trust_file.read_bytes():
        raise ConflictError(f"checkpoints are signed by {key.label} already")
    # A checkpoint that carries the new signature must be there before anybody asks for one.
    _record(archive, _statement(archive.log_key, role="log"), open_signer(like))
    _edit_trust(archive, lambda lines: _ask_for(lines, key))
    return key


def _prepare(path: Path, name: str, *, like: Path, device: str | None = None, key_type: int = ED25519) -> Signer:
    """The key in a file, which is made if it is not there: in a device, or sealed like another one."""
    if path.exists():  # what was interrupted goes on
        return open_signer(path)
    if device:
        write_device_key(path, open_device(device, name).verifier_key, device)
    else:
        key = SigningKey.generate(name, key_type)
        write_key(path, key, passphrase=_passphrase_of(key) if is_sealed(like) else None)
    return open_signer(path)


def _passphrase_of(key: SigningKey) -> str:
    return read_passphrase(f"new key {key.verifier_key.label}")


def _edit_trust(archive: Archive, edit: Callable[[list[bytes]], list[bytes]]) -> None:
    """Change the trust file, comments and order kept; all of it or nothing."""
    data = b"\n".join(edit(archive.trust_file.read_bytes().split(b"\n")))
    parse_policy(data)
    new = archive.trust_file.with_name(".trust.new")
    new.write_bytes(data)
    new.replace(archive.trust_file)
    archive.__dict__.pop("log_key", None)  # it was read from there


def _replace_log(lines: list[bytes], old: VerifierKey, new: VerifierKey, *, keep: bool) -> list[bytes]:
    """The new key's line before the old one's, with the same URL; the old one stays or goes."""
    before, after = (format_verifier_key(key).encode() for key in (old, new))
    if any(line.split()[:2] == [b"log", after] for line in lines):
        return lines
    edited: list[bytes] = []
    for line in lines:
        is_it = line.split()[:2] == [b"log", before]
        edited += [line.replace(before, after)] if is_it else []
        edited += [line] if keep or not is_it else []
    return edited


def _ask_for(lines: list[bytes], key: VerifierKey) -> list[bytes]:
    """A witness line for the key, and a quorum of it and whatever was asked for before."""
    name = b"ml-dsa"
    witness = b"witness " + name + b" " + format_verifier_key(key).encode()
    edited: list[bytes] = []
    for line in lines:
        match line.split():
            case [b"quorum", b"none"]:
                edited += [witness, b"quorum " + name]
            case [b"quorum", asked]:
                edited += [witness, b"group hybrid all " + asked + b" " + name, b"quorum hybrid"]
            case _:
                edited.append(line)
    return edited


def _statement(key: VerifierKey, **options: object) -> Statement:
    return make_key_statement(format_verifier_key(key), key.public, **options)  # type: ignore[arg-type]


def _state(archive: Archive, statement: Statement) -> Receipt:
    return _record(archive, statement, open_signer(ArchiveFolder(archive.folder).key_path("log")))


def _record(archive: Archive, statement: Statement, signer: Signer) -> Receipt:
    envelope = sign_envelope(format_statement(statement), {signer.verifier_key.label: signer})
    [receipt] = archive.record_envelopes([envelope])
    return receipt


def _require_producer(record: KeyRecord, verb: str) -> None:
    if record.role != "producer":
        raise FormatError(
            f"{record.key.label} is the ledger's own key, which one can't {verb}", hint="`wherefrom keys rotate log`"
        )


def _keys(record: KeyRecord) -> list[VerifierKey]:
    """The key, and its second one if it has one; the book's keys were all read by `parse_verifier_key`."""
    return [key for key in (record.key, record.also) if isinstance(key, VerifierKey)]


def _key(record: KeyRecord) -> VerifierKey:
    return _keys(record)[0]
