"""OpenLineage events and small archives for tests of the rooms above the statements."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable

from wherefrom.statements import Statement, make_event_statement

FACET = {"_producer": "https://example.com/producer", "_schemaURL": "https://example.com/schema"}


def content(text: str) -> str:
    """The digest that a file with this text would have."""
    return hashlib.sha256(text.encode()).hexdigest()


def dataset(name: str, text: str | None = None, *, how: str = "observed", namespace: str = "test") -> dict:
    """A data set in an event; `text` stands for its content, None for content that was not seen."""
    if text is None:
        return {"namespace": namespace, "name": name}
    facet = {**FACET, "digests": {"sha256": content(text)}, "known": how, "totalBytes": len(text)}
    return {"namespace": namespace, "name": name, "facets": {"wherefrom_fingerprint": facet}}


def run_id(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


def event(
    run: str,
    inputs: Iterable[dict] = (),
    outputs: Iterable[dict] = (),
    *,
    kind: str = "COMPLETE",
    at: str = "2026-11-21T08:00:00Z",
) -> Statement:
    """A run event of a run that is called by a short name."""
    return make_event_statement(
        {
            "eventType": kind,
            "eventTime": at,
            "producer": FACET["_producer"],
            "schemaURL": FACET["_schemaURL"],
            "run": {"runId": run_id(run)},
            "job": {"namespace": "test", "name": f"{run}.py"},
            "inputs": list(inputs),
            "outputs": list(outputs),
        }
    )


def pipeline() -> list[Statement]:
    """raw.csv, more.csv → clean → table → train → model."""
    return [
        event("clean", kind="START"),
        event("clean", [dataset("raw.csv", "raw"), dataset("more.csv", "more")], [dataset("table.parquet", "table")]),
        event("train", [dataset("table.parquet", "table")], [dataset("models/m.joblib", "model")]),
    ]
