"""Write the files of tests/vectors/evidence but for the cases: `python -m tests.reference.make_evidence`.

The archive has new keys each time, so the bytes differ; the cases of cases.json hold for each.
"""

import sys
import tempfile
from datetime import datetime
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent.parent / "unit"))

from events import content, dataset, event, pipeline

from wherefrom.archive import Archive
from wherefrom.archive.erasing import redact
from wherefrom.archive.issuing import issue_evidence
from wherefrom.ledger.shard_file import write_shard
from wherefrom.statements import make_source_statement

FOLDER = Path(__file__).parent.parent / "vectors" / "evidence"
REPORT = "<!doctype html><title>report</title>\n"
CLOCK = datetime.fromisoformat("2027-01-01T00:00:00+00:00")


def main():
    with tempfile.TemporaryDirectory() as folder:
        Archive.init(Path(folder), namespace="test", origin="example.com/vectors").close()
        archive = Archive.open(Path(folder, ".wherefrom"), clock=lambda: CLOCK)
        archive.record(*pipeline())
        archive.record(
            event("train", [dataset("raw.csv")], kind="RUNNING"), event("other", outputs=[dataset("x", "y")])
        )
        archive.record(make_source_statement("test", "raw.csv", {"sha256": content("raw")}, licence="CC0-1.0"))
        with mock.patch("wherefrom.evidence.render_report", return_value=REPORT):
            data, _ = issue_evidence(archive, "models/m.joblib")
            redact(archive, ["2"], reason="request 31", by="data protection officer", basis="GDPR Art. 17")
            redacted, _ = issue_evidence(archive, "models/m.joblib")
        (FOLDER / "good.wherefrom").write_bytes(data)
        (FOLDER / "redacted.wherefrom").write_bytes(redacted)
        with archive.reading() as (tables, _), (FOLDER / "entries-2-to-5.shard").open("wb") as file:
            write_shard(tables, (2, 6), file)
        (FOLDER / "trust").write_bytes(archive.trust_file.read_bytes())


if __name__ == "__main__":
    main()
