"""The answer in one sentence."""

from __future__ import annotations

from wherefrom.evidence.facts import Graph
from wherefrom.evidence.facts.words import format_plural


def summarize(graph: Graph) -> str:
    """What follows the subject's name: `was made by 4 runs from 5 source tables`."""
    runs = format_plural(len(graph.answer.runs), "run")
    if graph.answer.direction == "down":
        results = format_plural(len(graph.results()), "data version")
        return f"was used by {runs}, directly or through others, and went into {results}"
    if not graph.makers_of(graph.subject):
        return "is recorded, but no run is known that made it"
    return f"was made by {runs} from {count_sources(graph)}"


def count_sources(graph: Graph) -> str:
    """`5 source tables` when each has rows, else `5 sources`."""
    sources = graph.sources.values()
    noun = "source table" if sources and all(version.rows is not None for version in sources) else "source"
    return format_plural(len(sources), noun)


def list_doubts(graph: Graph) -> list[str]:
    """What the reader must know before believing the sentence, most telling first."""
    doubts = []
    if gaps := sum(len(run.gaps) for run in graph.answer.runs):
        doubts.append(format_plural(gaps, "gap"))
    if unstated := sum(not version.sources for version in graph.sources.values()):
        doubts.append(format_plural(unstated, "source") + " without a source statement")
    if graph.answer.is_cut:
        doubts.append("not followed to its end")
    return doubts
