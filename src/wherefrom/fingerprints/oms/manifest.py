"""The signed part of a model signature: an in-toto statement that names each file and its digest.

Source: ossf/model-signing-spec, spec/v1.0.md sections 5 and 6.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from wherefrom.errors import FormatError, MismatchError
from wherefrom.strict import Fields, is_hex, parse_json

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from wherefrom.fingerprints.files import FileEntry

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "https://model_signing/signature/v1.0"

DEFAULT_IGNORED: Final = (".git", ".gitattributes", ".github", ".gitignore")
"""Left out whatever the manifest says, at the top of the folder only: section 6.2."""

_DIGEST_SIZES: Final = {"sha256": 32, "blake2b": 64, "blake3": 32}


@dataclass(frozen=True, slots=True)
class Resource:
    """A file, or with the method "shards" a piece of one, named `path:start:end`."""

    name: str
    digest: bytes


@dataclass(frozen=True)
class Manifest:
    """What a statement says, names and digests checked for their form."""

    name: str
    """What the signer called the model: informative only."""
    resources: tuple[Resource, ...]
    method: str
    """"files" or "shards"."""
    hash_type: str
    allow_symlinks: bool
    ignore_paths: tuple[str, ...]

    @property
    def skipped(self) -> frozenset[str]:
        """Paths that the manifest says nothing about, each with all that is below it."""
        return frozenset((*DEFAULT_IGNORED, *self.ignore_paths))


def oms_manifest(
    entries: Iterable[FileEntry],
    *,
    name: str,
    ignore_paths: Collection[str] = (),
    allow_symlinks: bool = False,
) -> dict[str, Any]:
    """The statement that a signer of these files signs (wrapped in DSSE), as JSON.

    Args:
        entries: of a folder, or the one of a single file; those below ignored paths are left out.
        name: of the folder or file.
        ignore_paths: relative, beside `DEFAULT_IGNORED`: the signature itself, if it is to lie in the folder.
        allow_symlinks: True when links were followed, which the entries don't tell: `read_manifest` finds out.

    Raises FormatError: no file is left, or a path to ignore is none.
    """
    skipped = sorted({*DEFAULT_IGNORED, *(check_path(path, what="path to ignore") for path in ignore_paths)})
    resources = sorted(
        (entry.path or name, entry.sha256) for entry in entries if not entry.path or not is_below(entry.path, skipped)
    )
    if not resources:
        raise FormatError(f"nothing to sign in {name!r}: a manifest has at least one file")
    return {
        "_type": STATEMENT_TYPE,
        "predicate": {
            "resources": [
                {"algorithm": "sha256", "digest": digest.hex(), "name": resource} for resource, digest in resources
            ],
            "serialization": {
                "allow_symlinks": allow_symlinks,
                "hash_type": "sha256",
                "ignore_paths": skipped,
                "method": "files",
            },
        },
        "predicateType": PREDICATE_TYPE,
        "subject": [{"digest": {"sha256": _root(digest for _, digest in resources).hex()}, "name": name}],
    }


def parse_manifest(payload: bytes) -> Manifest:
    """Read a statement. Members that the specification does not know are ignored, as it asks.

    Any order of resources is read: the specification sorts by names, the `model-signing` package by parts of paths.
    Raises FormatError with the JSON path; MismatchError when the digest of the whole is not that of the resources.
    """
    statement = Fields.of(parse_json(payload, what="statement"), what="statement")
    statement.literal("_type", STATEMENT_TYPE)
    statement.literal("predicateType", PREDICATE_TYPE)
    subjects = list(statement.objects("subject"))
    if len(subjects) != 1:
        statement.fail("subject", f"has {len(subjects)} members, expected 1")
    predicate = statement.object("predicate")
    serialization = predicate.object("serialization")
    hash_type = serialization.literal("hash_type", *_DIGEST_SIZES)
    resources = tuple(_parse_resource(item, hash_type) for item in predicate.objects("resources"))
    if not resources:
        predicate.fail("resources", "is empty, expected at least one file")
    if len(names := {resource.name for resource in resources}) != len(resources):
        predicate.fail("resources", f"has {len(resources)} members and only {len(names)} different names")
    manifest = Manifest(
        subjects[0].text("name"),
        resources,
        serialization.literal("method", "files", "shards"),
        hash_type,
        _parse_boolean(serialization, "allow_symlinks"),
        _parse_ignored(serialization),
    )
    found, said = _root(resource.digest for resource in resources), subjects[0].object("digest").hex("sha256", size=32)
    if found != said:
        raise MismatchError(f"the resources hash to {found.hex()}, but the subject's digest is {said.hex()}")
    return manifest


def check_path(path: str, *, what: str) -> str:
    """Refuse what is no relative path in its shortest form: section 6.1.2."""
    if not path or path.endswith("/") or any(part in {"", ".", ".."} for part in path.split("/")) or "\0" in path:
        raise FormatError(f"{what} {path!r} is not a relative path in its shortest form, such as 'folder/file'")
    return path


def is_below(path: str, skipped: Collection[str]) -> bool:
    """Whether the path, or a folder that it is in, is among these."""
    parts = path.split("/")
    return any("/".join(parts[:length]) in skipped for length in range(1, len(parts) + 1))


def _parse_resource(item: Fields, hash_type: str) -> Resource:
    item.literal("algorithm", hash_type)
    name, digest = item.text("name"), item.text("digest")
    if not is_hex(digest, size=_DIGEST_SIZES[hash_type]):
        item.fail("digest", f"is {digest!r}, expected {2 * _DIGEST_SIZES[hash_type]} lower-case hex digits")
    # Signatures of a single file by the `model-signing` package call it ".".
    return Resource(
        name if name == "." else check_path(name, what=f"statement: {item.path}.name"), bytes.fromhex(digest)
    )


def _parse_boolean(fields: Fields, key: str) -> bool:
    value = fields.value.get(key)
    if not isinstance(value, bool):
        fields.fail(key, f"is {value!r}, expected true or false")
    return value


def _parse_ignored(serialization: Fields) -> tuple[str, ...]:
    if "ignore_paths" not in serialization:
        return ()
    ignored = serialization.items("ignore_paths")
    for path in ignored:
        if not isinstance(path, str):
            serialization.fail("ignore_paths", f"has {path!r}, expected text")
        check_path(path, what=f"statement: {serialization.path}.ignore_paths:")
    return tuple(ignored)


def _root(digests: Iterable[bytes]) -> bytes:
    """Section 6.5.1: names are no part of it."""
    return hashlib.sha256(b"".join(digests)).digest()
