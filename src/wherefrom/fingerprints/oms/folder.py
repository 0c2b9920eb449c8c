"""Folders and model signatures: the manifest of a folder, and a folder held against a signed one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wherefrom.errors import FormatError, MismatchError, UnavailableError
from wherefrom.fingerprints.files import read_listed
from wherefrom.fingerprints.oms.bundle import parse_bundle
from wherefrom.fingerprints.oms.manifest import DEFAULT_IGNORED, Manifest, check_path, oms_manifest, parse_manifest
from wherefrom.fingerprints.oms.signature import verify_signature
from wherefrom.fingerprints.walk import list_files
from wherefrom.verify import Findings, Outcome

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from wherefrom.fingerprints.files import FileEntry
    from wherefrom.fingerprints.oms.signature import CertificateRoots, PublicKey
    from wherefrom.fingerprints.progress import Progress
    from wherefrom.fingerprints.stat_cache import StatCache

_SHOWN = 5


@dataclass
class OmsVerdict(Findings):
    """What became of the claims "signature", "manifest" and "files".

    Attributes:
        manifest: what the bundle names; None when the signature is false or the manifest can't be read.
        missing, added, changed: relative paths, sorted; empty unless the manifest could be held against the folder.
    """

    manifest: Manifest | None = None
    missing: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def read_manifest(
    path: str | os.PathLike[str],
    *,
    signature: str | os.PathLike[str] | None = None,
    ignore_paths: Collection[str] = (),
    cache: StatCache | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The statement to sign for a file or folder: `oms_manifest` of what is there.

    Args:
        signature: where the signature is to lie; left out if that is in the folder.
        ignore_paths: relative paths to leave out, each with all that is below it.

    Raises as `read_file_entries` does, and FormatError for a link to a folder, whose files signers see or don't.
    """
    start = os.fspath(path)
    ignored = {check_path(item, what="path to ignore") for item in ignore_paths} | _inside(start, signature)
    listing = list_files(start, skip={*DEFAULT_IGNORED, *ignored})
    for link in listing.links:
        if Path(start, link).is_dir():
            raise FormatError(f"link '{Path(start, link)}' leads to a folder, for which a model signature has no form")
    entries = read_listed(listing, cache=cache, progress=progress)
    return oms_manifest(entries, name=_name(start), ignore_paths=ignored, allow_symlinks=bool(listing.links))


def verify_folder(
    data: bytes,
    path: str | os.PathLike[str],
    *,
    trusted: PublicKey | CertificateRoots | None,
    signature: str | os.PathLike[str] | None = None,
    at: datetime | None = None,
    ignore_paths: Collection[str] = (),
    ignore_unsigned: bool = False,
    cache: StatCache | None = None,
    progress: Progress | None = None,
) -> OmsVerdict:
    """Check a bundle, and that a file or folder is what was signed. Nothing of it is read when the signature is false.

    Args:
        data: the bundle.
        signature: where it came from; left out if that is in the folder.
        at: when certificates have to be valid; now, if None.
        ignore_paths: relative paths to leave out beside those that the signer left out.
        ignore_unsigned: whether files that were not signed are no fault.

    Raises FormatError for a path to ignore that is none; whatever else fails is in the verdict.
    """
    start = os.fspath(path)
    ignored = {check_path(item, what="path to ignore") for item in ignore_paths} | _inside(start, signature)
    verdict = OmsVerdict()
    bundle = None
    with verdict.check("signature") as said:
        bundle = parse_bundle(data)
        said.append(verify_signature(bundle, trusted, at=at or datetime.now(UTC)))
    # Where the signature could not be checked, the rest still tells whether the folder is what the bundle says.
    if bundle is None or verdict.outcome is Outcome.FALSE:
        return verdict
    with verdict.check("manifest") as said:
        verdict.manifest = parse_manifest(bundle.payload)
        said.append(f"digests of '{verdict.manifest.name}': {len(verdict.manifest.resources):,}")
    if verdict.manifest is None:
        return verdict
    with verdict.check("files") as said:
        _expect_known_digests(verdict.manifest)
        listing = list_files(start, skip=verdict.manifest.skipped | ignored)
        _compare(verdict, read_listed(listing, cache=cache, progress=progress), _name(start))
        if ignore_unsigned and verdict.added:
            verdict.remarks.append(f"not signed: {_some(verdict.added)}")
        problems = (
            [] if verdict.manifest.allow_symlinks else _problem("link where the signer followed none", listing.links)
        )
        problems += _problem("missing", verdict.missing) + _problem("changed", verdict.changed)
        problems += [] if ignore_unsigned else _problem("not signed", verdict.added)
        if problems:
            raise MismatchError("; ".join(problems))
        said.append(f"files that are as they were signed: {len(verdict.manifest.resources):,}")
    left_out = sorted((verdict.manifest.skipped | ignored) - _inside(start, signature))
    if there := [name for name in left_out if os.path.lexists(Path(start, name))]:
        verdict.remarks.append(f"not covered by the signature: {_some(there)}")
    return verdict


def _expect_known_digests(manifest: Manifest) -> None:
    if manifest.method != "files" or manifest.hash_type != "sha256":
        raise UnavailableError(
            f"the manifest has {manifest.hash_type} digests by the method {manifest.method!r}; only SHA-256 of whole "
            "files can be checked here",
            hint="check it with the model-signing package",
        )


def _compare(verdict: OmsVerdict, entries: Sequence[FileEntry], name: str) -> None:
    """Set what is missing, added and changed."""
    signed = {resource.name: resource.digest for resource in verdict.manifest.resources} if verdict.manifest else {}
    if len(entries) == 1 and not entries[0].path and "." in signed:
        name = "."
    there = {entry.path or name: entry.sha256 for entry in entries}
    verdict.missing = tuple(sorted(signed.keys() - there.keys()))
    verdict.added = tuple(sorted(there.keys() - signed.keys()))
    verdict.changed = tuple(sorted(path for path in signed.keys() & there.keys() if signed[path] != there[path]))


def _problem(what: str, paths: Sequence[str]) -> list[str]:
    return [f"{what}: {_some(paths)}"] if paths else []


def _some(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN:,} more" if len(paths) > _SHOWN else ""
    return ", ".join(f"'{path}'" for path in paths[:_SHOWN]) + more


def _inside(start: str, path: str | os.PathLike[str] | None) -> set[str]:
    """The path relative to the folder, if it is in it."""
    if path is None:
        return set()
    relative = os.path.relpath(os.path.realpath(path), os.path.realpath(start))
    return set() if relative == "." or Path(relative).parts[0] == ".." else {relative}


def _name(start: str) -> str:
    path = Path(start)
    if path.name in {"", ".."}:
        path = path.resolve()
    return path.name or "/"
