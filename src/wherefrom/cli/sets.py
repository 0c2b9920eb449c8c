"""Which set of records a user means, and the leaves that are kept of it."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from wherefrom.archive import Archive
from wherefrom.cli.output import progress
from wherefrom.commitments import Column, KeyCommitment, RecordsFingerprint, Secret
from wherefrom.commitments.forms import form_value
from wherefrom.errors import FormatError, NotFoundError
from wherefrom.fingerprints import KeptTree, KeptTrees, Key, StatCache, fingerprint_with_keys
from wherefrom.strict import parse_json

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([kMGT]i?B|B)?")
_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {f"{unit[0]}iB": 2 ** (10 * power) for power, unit in enumerate(["kB", "MB", "GB", "TB"], start=1)}
_DIGEST = re.compile(r"(wf-records-1|wf-keys-1):([0-9a-f]{6,64})")
_EVERYTHING = 2**63


def parse_size(text: str) -> int:
    """Bytes of "1 GiB", "500MB" or "1000000". Raises FormatError."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise FormatError(f"size {text!r} is not a number of bytes, such as 500MB or 1GiB")
    return int(float(match[1]) * _UNITS[match[2] or "B"])


def kept_trees(leaves: Path | None) -> KeptTrees | None:
    """Where leaves are kept: the folder given, else the project's archive; None outside of a project."""
    if leaves is not None:
        return KeptTrees(leaves)
    try:
        return KeptTrees(Archive.find(Path.cwd()).folder / "leaves")
    except NotFoundError:
        return None


SecretFile = Annotated[Path | None, typer.Option("--secret", help="Secret of a private fingerprint.")]
Private = Annotated[bool, typer.Option("--private", help="Private, with the project's own secret, made if need be.")]


def find_secret(path: Path | None, *, is_private: bool) -> Secret | None:
    """The secret in a file, or the project's own, which lies in its archive beside the keys."""
    if path is not None:
        return Secret.read(path)
    return Secret.obtain(Archive.find(Path.cwd()).folder / "secrets" / "records") if is_private else None


def is_remote(what: str) -> bool:
    """Whether it is a URL or the metadata of an Iceberg table: rows and no bytes of a file here."""
    return "://" in what or what.startswith("iceberg:")


def is_readable(what: str) -> bool:
    """Whether it says where data lies, rather than naming what is recorded."""
    return is_remote(what) or Path(what).exists()


def cache_of() -> StatCache | None:
    """Where digests of files seen before are kept: in the project's archive; None outside of a project."""
    try:
        return StatCache(Archive.find(Path.cwd()).folder / "cache" / "files")
    except NotFoundError:
        return None


@contextlib.contextmanager
def open_tree(
    what: str, *, leaves: Path | None, key: Key | None = None, secret: Secret | None = None
) -> Iterator[KeptTree]:
    """The leaves of the table, or of the keys in it, that a user means: a table's path, its id, or a recorded name.

    A path is fingerprinted, its leaves kept for the next time where there is a place for them. Raises NotFoundError:
    nothing of that name, or its leaves were not kept.
    """
    with contextlib.ExitStack() as stack:
        trees = kept_trees(leaves)
        if trees is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="wherefrom-"))
            trees = KeptTrees(Path(folder))
        if is_readable(what):
            wanted = _fingerprint(what, trees, key, secret)
        else:
            wanted = _find(trees, _recorded_id(what, trees), key)
        yield stack.enter_context(trees.open(wanted))


def _fingerprint(what: str, trees: KeptTrees, key: Key | None, secret: Secret | None) -> str:
    keys = [key] if key else []
    with progress(f"fingerprinting {what}", "rows") as bar:
        records, commitments = fingerprint_with_keys(
            what, keys=keys, secret=secret, keep=trees, keep_at_most=_EVERYTHING, progress=bar
        )
    return str(commitments[0] if key else records)


def _recorded_id(what: str, trees: KeptTrees) -> str:
    """The id of the table: given, or that of a recorded version."""
    if match := _DIGEST.fullmatch(what):
        found = [str(tree) for tree in trees if str(tree).startswith(match[0])]
        if len(found) != 1:
            problem = f"could be any of {', '.join(found)}" if found else f"no leaves of it are kept in {trees.folder}"
            raise NotFoundError(f"{what}: {problem}")
        return found[0]
    try:
        answer = Archive.find(Path.cwd()).trace(what, depth=0)
    except NotFoundError as error:
        raise NotFoundError(f"no file {what}, and {error}", hint=error.hint) from error
    version = next(version for version in answer.versions if version.key == answer.subject)
    if RecordsFingerprint.ALGORITHM not in version.digests:
        raise NotFoundError(
            f"{version.name} was recorded without its rows",
            hint='the level "records" in wherefrom.toml records them; a path fingerprints the file now',
        )
    return f"{RecordsFingerprint.ALGORITHM}:{version.digests[RecordsFingerprint.ALGORITHM]}"


def _find(trees: KeptTrees, tree: str, key: Key | None) -> str:
    if key is None or tree.startswith(KeyCommitment.ALGORITHM):
        return tree
    of_table = [kept for kept in trees if isinstance(kept, KeyCommitment) and tree.endswith(f":{kept.records}")]
    for kept in of_table:
        if {column.name for column in kept.columns} == set(key.columns) and kept.form == key.form:
            return str(kept)
    known = "; ".join(f"{kept.form}:{','.join(c.name for c in kept.columns)}" for kept in of_table) or "none"
    wanted = f"{key.form}:{','.join(key.columns)}"
    raise NotFoundError(f"no keys {wanted} are kept of {tree}; known: {known}")


def parse_asked(text: str, identity: RecordsFingerprint | KeyCommitment) -> dict[str, Any]:
    """A row or key as on the command line, a JSON object or COLUMN=VALUE, with values as the set has them.

    Raises FormatError.
    """
    if text.lstrip().startswith("{"):
        return to_form(parse_json(text.encode(), what=f"row {text!r}"), identity)
    name, equals, value = text.partition("=")
    if not equals:
        raise FormatError(f"{text!r} is neither a JSON object nor COLUMN=VALUE")
    column = next((column for column in identity.columns if column.name == name), None)
    if column is None:
        raise FormatError(f"{name!r} is no column of the set; it has {', '.join(c.name for c in identity.columns)}")
    return to_form({name: _typed(value, column)}, identity)


def _typed(value: str, column: Column) -> Any:
    """A number or truth value where the column holds such; else the text is the value's notation."""
    if column.type.kind in {"number", "boolean", "list", "struct", "map", "interval"}:
        try:
            return parse_json(value.encode())
        except FormatError:
            return value
    return value


def to_form(row: Mapping[str, Any], identity: RecordsFingerprint | KeyCommitment) -> dict[str, Any]:
    """The row with its values as the form of the set leaves them."""
    form = identity.form if isinstance(identity, KeyCommitment) else "exact"
    return {name: form_value(value, form) for name, value in row.items()}
