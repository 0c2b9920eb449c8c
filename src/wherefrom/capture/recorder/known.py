"""Record fingerprints taken before, by the SHA-256 of the file, so that a table which four scripts read is parsed once.

It holds nothing that can't be computed again; deleting the folder only costs time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from pathlib import Path

from wherefrom import __version__
from wherefrom.capture.config import LevelRule
from wherefrom.capture.locate import FOLDER
from wherefrom.errors import FormatError
from wherefrom.fingerprints import KeyCommitment, RecordsFingerprint

Records = tuple[RecordsFingerprint, tuple[KeyCommitment, ...]]


class KnownRecords:
    """A folder of small JSON files below `.wherefrom/`; safe for many processes."""

    def __init__(self, root: str) -> None:
        self.archive = Path(root) / FOLDER
        """The archive's folder."""
        self._folder = self.archive / "known" / RecordsFingerprint.ALGORITHM

    def read(self, sha256: str, kind: str, rule: LevelRule) -> Records | None:
        try:
            text = self._path(sha256, kind, rule).read_text("utf-8")
            stored = json.loads(text)
            found = RecordsFingerprint.from_json(stored["records"])
            options, left_out = stored["readOptions"], tuple(stored["leftOut"])
            records = dataclasses.replace(found, read_options=options, left_out=left_out)
            return records, tuple(map(KeyCommitment.from_json, stored["keys"]))
        except (OSError, ValueError, KeyError, TypeError, FormatError):
            return None

    def write(
        self,
        sha256: str,
        kind: str,
        rule: LevelRule,
        records: RecordsFingerprint,
        found: tuple[KeyCommitment, ...],
    ) -> None:
        """Keep it, if that can be done; an archive without room or rights works as well."""
        path = self._path(sha256, kind, rule)
        stored = {
            "records": records.to_json(),
            "readOptions": records.read_options,
            "leftOut": records.left_out,
            "keys": [key.to_json() for key in found],
        }
        new = path.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            new.write_text(json.dumps(stored), "utf-8")
            new.replace(path)

    def _path(self, sha256: str, kind: str, rule: LevelRule) -> Path:
        what = [__version__, sha256, kind, rule.keys, rule.is_private]
        which = hashlib.sha256(json.dumps(what).encode()).hexdigest()
        return self._folder / which[:2] / f"{which[2:]}.json"
