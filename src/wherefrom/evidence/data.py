"""Holding data against an evidence file: are these the bytes, or at least the rows, that it speaks of?"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from wherefrom.commitments import UNSALTED, RecordsFingerprint, Secret
from wherefrom.errors import MismatchError, NotFoundError, UnavailableError
from wherefrom.fingerprints import fingerprint_files, fingerprint_records, table_format
from wherefrom.statements import DIGEST_SIZES
from wherefrom.verify import Verdict, VersionId


def verify_data(verdict: Verdict, path: Path, name: str | None = None, *, secret: Secret | None = None) -> None:
    """Fingerprint a file, or every file of a folder, and add what it says to the verdict.

    A file is held against the version whose name ends most like its path, or against `name`. A file whose bytes differ
    but whose rows are the same passes, and the finding says so; `secret` is that of rows recorded privately. Raises
    NotFoundError when the path is not there, or the evidence speaks of nothing of that name.
    """
    if not path.exists():
        raise NotFoundError(f"no file {path}")
    if path.is_dir() and name is None:
        found = [(file, _match(verdict, file)) for file in sorted(path.rglob("*")) if file.is_file()]
        if not any(versions for _, versions in found):
            raise NotFoundError(f"the evidence speaks of no file in {path}")
        for file, versions in found:
            if versions:
                _verify_file(verdict, file, versions, secret)
        return
    versions = _match(verdict, Path(name) if name else path)
    if not versions:
        names = ", ".join(sorted({v[1] for v in verdict.versions})[:5])
        raise NotFoundError(f"the evidence speaks of nothing named {name or path}", hint=f"it names {names}")
    _verify_file(verdict, path, versions, secret)


def _match(verdict: Verdict, path: Path) -> list[VersionId]:
    """The versions of the entity whose name has the most trailing parts in common with the path."""
    best: list[VersionId] = []
    longest = 0
    parts = path.absolute().parts
    for version in verdict.versions:
        theirs = PurePosixPath(version[1]).parts
        common = 0
        while common < min(len(parts), len(theirs)) and parts[-1 - common] == theirs[-1 - common]:
            common += 1
        if common and common >= longest:
            best = [version] if common > longest else [*best, version]
            longest = common
    return best


def _verify_file(verdict: Verdict, path: Path, versions: list[VersionId], secret: Secret | None) -> None:
    names = {version[1] for version in versions}
    with verdict.check(f"{path} is as recorded") as said:
        if len(names) > 1:
            raise NotFoundError(f"could be any of {', '.join(sorted(names))}; say --data NAME={path}")
        known = [verdict.versions[version] for version in versions if verdict.versions[version]]
        if not known:
            raise NotFoundError(f"no digest of {next(iter(names))} was recorded")
        files = fingerprint_files(path)
        actual = {"sha256": files.sha256} if files.sha256 else dict([files.digest])
        algorithm, digest = next(iter(actual.items()))
        if any(digests.get(algorithm) == digest for digests in known):
            said.append(f"{algorithm}:{digest[:16]}…")
            return
        expected = known[0]
        if "wf-records-1" in expected and table_format(path):
            records = _fingerprint_as(verdict.records.get(expected["wf-records-1"]), path, secret)
            if any(digests.get("wf-records-1") == records.digest[1] for digests in known):
                said.append(f"other bytes, the same {records.rows:,} rows (wf-records-1:{records.digest[1][:16]}…)")
                return
            actual["wf-records-1"] = records.digest[1]
        differing = [a for a in DIGEST_SIZES if a in actual and a in expected]
        listed = "; ".join(f"{a} is {actual[a][:16]}…, recorded {expected[a][:16]}…" for a in differing)
        raise MismatchError(f"{next(iter(names))} has changed: {listed}")


def _fingerprint_as(recorded: object, path: Path, secret: Secret | None) -> RecordsFingerprint:
    """The file's rows in the order and with the secret of what was recorded.

    Raises UnavailableError: they are private, and the secret was not given, or is another.
    """
    if recorded is None:  # by a producer that gives the id alone: the usual way, or none that could be known
        return fingerprint_records(path)
    said = RecordsFingerprint.from_json(recorded)
    if said.salt == UNSALTED:
        return fingerprint_records(path, order=said.order)
    if secret is None or secret.scheme != said.salt:
        other = "was not given" if secret is None else "is not the one given"
        raise UnavailableError(f"its bytes are others, and its rows were recorded privately: their secret {other}")
    return fingerprint_records(path, order=said.order, secret=secret)
