"""What an answer does not know, said as plainly as what it does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wherefrom.evidence.facts.graph import Graph
from wherefrom.evidence.facts.run import RunFacts
from wherefrom.evidence.facts.stated import read_sources
from wherefrom.evidence.facts.version import read_version
from wherefrom.evidence.facts.words import format_plural
from wherefrom.lineage import Run, Version


@dataclass(frozen=True)
class Unknown:
    """One thing that is not known, what that means for the reader, and whom it is about."""

    what: str
    meaning: str
    versions: tuple[Version, ...] = ()
    runs: tuple[Run, ...] = ()


def find_unknowns(graph: Graph, facts: dict[str, RunFacts]) -> list[Unknown]:
    """Everything but the `gap` statements themselves, which say in their own words what was not seen.

    Args:
        facts: of every run of the answer, by run id.
    """
    return [*_of_the_walk(graph), *_of_versions(graph), *_of_runs(graph, facts)]


def _of_the_walk(graph: Graph) -> Iterator[Unknown]:
    answer = graph.answer
    if answer.is_cut:
        depth = format_plural(answer.depth or 0, "run")
        beyond = tuple(version for version in answer.versions if graph.is_beyond(version))
        yield Unknown(f"The question was asked to a depth of {depth}", "There is more beyond it.", beyond)
    if answer.direction == "up" and not graph.makers_of(graph.subject):
        meaning = "It was recorded as read, or named, but no run was seen to write it."
        yield Unknown(f"No run is known that made {graph.subject.name}", meaning)
    if answer.direction == "down" and not graph.uses_of(graph.subject):
        yield Unknown(f"No run is known that used {graph.subject.name}", "That is not proof that none did.")


def _of_versions(graph: Graph) -> Iterator[Unknown]:
    up = graph.answer.direction == "up"
    unstated = [version for version in graph.sources.values() if not version.sources]
    if unstated:
        what = format_plural(len(unstated), "source has", "sources have") + " no source statement"
        meaning = "Nobody has said where the data comes from, under which licence, and for what it was collected."
        yield Unknown(what, meaning, tuple(unstated))
    unlicensed = [v for v in graph.sources.values() if v.sources and not any(s.licence for s in read_sources(v))]
    if unlicensed:
        what = format_plural(len(unlicensed), "source statement names", "source statements name") + " no licence"
        yield Unknown(what, "Under which terms the data may be used is not stated.", tuple(unlicensed))
    unseen = [version for version in graph.answer.versions if not version.digests]
    if unseen:
        what = format_plural(len(unseen), "data version was", "data versions were") + " named, but the content not seen"
        yield Unknown(what, "There is no digest to compare with: it stands for whatever the name held.", tuple(unseen))
    for how, meaning in (
        ("inferred", "The run named the data without a digest; the newest version then known was taken."),
        ("declared", "Somebody's code or another tool says so; no hook of ours saw it happen."),
    ):
        edges = [edge for edge in graph.answer.edges if edge.how == how]
        if edges:
            versions = dict.fromkeys(edge.version for edge in edges)
            what = format_plural(len(edges), "link is", "links are") + f" {how}, not observed"
            yield Unknown(what, meaning, tuple(graph.versions[key] for key in versions))
    later = [version for version in graph.sources.values() if up and version.makers]
    if later:
        what = format_plural(len(later), "source was", "sources were") + " made by runs outside this answer"
        meaning = "They are known to have made the same content only after it was used here."
        yield Unknown(what, meaning, tuple(later))
    many = [v for v in graph.answer.versions if up and graph.makers_of(v) and read_version(graph, v).other_makers]
    if many:
        what = format_plural(len(many), "data version was", "data versions were") + " made by other runs as well"
        yield Unknown(
            what, "Its content was made more than once; the run shown is the last one before it was used.", tuple(many)
        )


def _of_runs(graph: Graph, facts: dict[str, RunFacts]) -> Iterator[Unknown]:
    def found(one: str, several: str, rest: str, meaning: str, is_so: Callable[[Run], bool]) -> Iterator[Unknown]:
        runs = tuple(run for run in graph.answer.runs if is_so(run))
        if runs:
            yield Unknown(f"{format_plural(len(runs), one, several)} {rest}", meaning, runs=runs)

    yield from found(
        "run was",
        "runs were",
        "started from code with uncommitted changes",
        "The commit alone does not give the code that ran; the digest of the difference is recorded with the run.",
        lambda run: facts[run.run_id].code.is_dirty is True,
    )
    yield from found(
        "run has",
        "runs have",
        "no known commit",
        "Which state of the code ran is known by the script's digest at most.",
        lambda run: not facts[run.run_id].code.commit,
    )
    yield from found(
        "run has",
        "runs have",
        "not ended well, or no end is recorded",
        "What was written may be partial.",
        lambda run: run.state != "COMPLETE",
    )
    if graph.answer.direction == "up":
        yield from found(
            "run has",
            "runs have",
            "no recorded input",
            "The output came from the code alone, or something that was read was not seen.",
            lambda run: not graph.inputs_of(run),
        )
