"""What the drawn graph needs to know of each node and edge; where they go is worked out in the reader's browser."""

from __future__ import annotations

from typing import Any

from wherefrom.evidence.facts import Graph, RunFacts
from wherefrom.evidence.facts.words import (
    format_bytes,
    format_duration,
    format_plural,
    short_digest,
    shorten_middle,
    visible,
)
from wherefrom.lineage import Run, Version

# So many versions or more with the same makers and users are drawn as one stack, until the reader unfolds it.
_MIN_STACK = 8
# Columns of text in a box: nine boxes side by side, four steps of a pipeline, still fit a page's width legibly.
_MAX_LABEL = 20
_MAX_SMALL = 24


def to_drawing(graph: Graph, facts: dict[str, RunFacts]) -> dict[str, Any]:
    """Nodes and edges for `assets/graph.js`.

    A node has an `id` (also the anchor of its place in the page), up to three lines of text (`context`, `label`,
    `detail`), its whole name as `title`, and `marks`: "subject", "doubt", "failed". An edge goes `from` cause `to`
    effect. A stack is a node that stands for its `members`.
    """
    numbers = {run.run_id: number for number, run in enumerate(graph.answer.runs, 1)}
    nodes = [_version(graph, version) for version in graph.answer.versions]
    nodes += [_run(run, numbers[run.run_id], facts[run.run_id]) for run in graph.answer.runs]
    edges = []
    for edge in graph.answer.edges:
        ends = f"v{edge.version}", f"r{numbers[edge.run_id]}"
        cause, effect = ends if edge.relation == "used" else ends[::-1]
        edges.append({"from": cause, "to": effect, "how": edge.how})
    return {"nodes": nodes, "edges": edges, "stacks": _stacks(graph)}


def _stacks(graph: Graph) -> list[dict[str, Any]]:
    """Shards of one data set, images of one folder: many boxes that would all say the same."""
    alike: dict[Any, list[Version]] = {}
    for version in graph.answer.versions:
        edges = frozenset((edge.relation, edge.run_id, edge.how) for edge in graph.edges_of(version))
        if version.key != graph.answer.subject:
            alike.setdefault((edges, bool(version.digests)), []).append(version)
    stacks = []
    for members in alike.values():
        if len(members) >= _MIN_STACK:
            rows = [version.rows for version in members if version.rows is not None]
            detail = format_plural(sum(rows), "row") if len(rows) == len(members) else ""
            folder = _common_parts([version.name.split("/")[:-1] for version in members])
            label = format_plural(len(members), "version")
            keys = [f"v{version.key}" for version in members]
            node = {"id": f"s{members[0].key}", "kind": "version", "marks": ["stack"], "members": keys}
            title = f"{label} below {visible('/'.join(folder)) or 'different folders'}"
            stacks.append(node | {"title": title} | _lines("/".join([*folder, label]), detail))
    return stacks


def _common_parts(paths: list[list[str]]) -> list[str]:
    first, last = min(paths), max(paths)
    different = next((n for n, pair in enumerate(zip(first, last, strict=False)) if len(set(pair)) > 1), len(first))
    return first[:different]


def _version(graph: Graph, version: Version) -> dict[str, Any]:
    is_unstated = version.key in graph.sources and not version.sources
    marks = ["subject"] * (version.key == graph.answer.subject) + ["doubt"] * (not version.digests)
    digest = next((short_digest(*item) for item in version.digests.items()), "content not seen")
    if graph.shares_its_name(version) or not version.digests:
        detail = digest
    elif version.rows is not None:
        detail = format_plural(version.rows, "row")
    else:
        detail = format_bytes(version.total_bytes) if version.total_bytes is not None else digest
    title = [visible(version.name), detail] + ["no source statement"] * is_unstated
    return {"id": f"v{version.key}", "kind": "version", "marks": marks, "title": ", ".join(title)} | _lines(
        version.name, detail
    )


def _run(run: Run, number: int, facts: RunFacts) -> dict[str, Any]:
    said = [] if run.state == "COMPLETE" else [run.state]
    said += [format_plural(len(run.gaps), "gap")] if run.gaps else []
    if facts.duration_ms is not None and not said:
        said.append(format_duration(facts.duration_ms))
    marks = ["failed"] * (run.state in {"FAIL", "ABORT"}) + ["doubt"] * bool(run.gaps)
    title = ", ".join([f"run {visible(run.job_name)}", *said])
    return {"id": f"r{number}", "kind": "run", "marks": marks, "title": title} | _lines(run.job_name, ", ".join(said))


def _lines(name: str, detail: str) -> dict[str, str]:
    """The name's last part stands out; what leads to it stands above, smaller."""
    context, _, label = name.rstrip("/").rpartition("/")
    return {
        "context": shorten_middle(visible(context), _MAX_SMALL),
        "label": shorten_middle(visible(label or name), _MAX_LABEL),
        "detail": shorten_middle(detail, _MAX_SMALL),
    }
