"""Walking the graph: what a version was made from, and what was made with it, as of any entry."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from wherefrom.errors import NotFoundError
from wherefrom.lineage.answer import Answer, Direction, Edge, Run, Version
from wherefrom.statements import DIGEST_SIZES, Statement, format_digest, read_facets
from wherefrom.store import LineageTables

ReadStatement = Callable[[int], Statement]


@dataclass
class _Walk:
    """What was found so far: ids of versions and runs in the order of finding, and edges."""

    versions: dict[int, None] = field(default_factory=dict)
    runs: dict[int, None] = field(default_factory=dict)
    edges: dict[tuple[int, int, str], Any] = field(default_factory=dict)
    is_cut: bool = False

    def add_edge(self, row: Any) -> None:
        self.edges[row.run, row.version, row.relation] = row
        self.versions.setdefault(row.version)

    def add_runs(self, rows: list[Any]) -> list[int]:
        """Add edges and their runs, and return those runs that are new."""
        for row in rows:
            self.add_edge(row)
        new = [run for run in dict.fromkeys(row.run for row in rows) if run not in self.runs]
        self.runs.update(dict.fromkeys(new))
        return new


def trace(
    tables: LineageTables,
    version: int,
    *,
    direction: Direction,
    as_of: int,
    depth: int | None,
    read_statement: ReadStatement,
) -> Answer:
    """Walk from a version: up to what it was made from, or down to what was made with it.

    Up, of several runs that made the same content, the walk follows the last one before the content was used: that is
    the one whose output was there to be read. `Version.makers` says how many there are.

    Args:
        version: its id, from `find_version`.
        depth: how many runs to go; None for all.
        read_statement: gives the statement of an entry, for the facets that the tables don't hold.
    """
    walk = _up(tables, version, as_of, depth) if direction == "up" else _down(tables, version, as_of, depth)
    return _answer(tables, walk, version, direction, as_of, depth, read_statement)


def _up(tables: LineageTables, start: int, as_of: int, depth: int | None) -> _Walk:
    """Each version wanted, with the entry before which it must have been made, leads to its last maker before that."""
    walk, step = _Walk({start: None}), 0
    wanted = {(start, as_of): None}
    while wanted:
        made: dict[int, list[Any]] = {}
        for row in tables.read_edges("was_generated_by", versions_in=[version for version, _ in wanted], as_of=as_of):
            made.setdefault(row.version, []).append(row)
        earlier = [[row for row in made.get(version, ()) if row.entry < before] for version, before in wanted]
        makers = [rows[-1] for rows in earlier if rows]
        if depth is not None and step >= depth:
            walk.is_cut = bool(makers)
            break
        new_runs = walk.add_runs(makers)
        wanted = {}
        for row in tables.read_edges("used", runs_in=new_runs, as_of=as_of):
            walk.add_edge(row)
            wanted[row.version, row.entry] = None
        step += 1
    return walk


def _down(tables: LineageTables, start: int, as_of: int, depth: int | None) -> _Walk:
    walk, step, level = _Walk({start: None}), 0, [start]
    while level:
        users = tables.read_edges("used", versions_in=level, as_of=as_of)
        if depth is not None and step >= depth:
            walk.is_cut = bool(users)
            break
        seen = set(walk.versions)
        for row in tables.read_edges("was_generated_by", runs_in=walk.add_runs(users), as_of=as_of):
            walk.add_edge(row)
        level = [version for version in walk.versions if version not in seen]
        step += 1
    return walk


def _answer(
    tables: LineageTables,
    walk: _Walk,
    subject: int,
    direction: Direction,
    as_of: int,
    depth: int | None,
    read_statement: ReadStatement,
) -> Answer:
    runs, by_run = _runs(tables, list(walk.runs), as_of, read_statement)
    run_ids = {row.id: row.run_id for row in tables.read_runs(list(walk.runs))}
    versions = read_versions(tables, list(walk.versions), as_of=as_of, read_statement=read_statement)
    at = {version.key: version for version in versions}
    edges = []
    for row in sorted(walk.edges.values(), key=lambda row: (row.entry, row.id)):
        version = at[row.version]
        facets = by_run.get((row.entry, row.relation, version.namespace, version.name), {})
        edges.append(Edge(run_ids[row.run], row.version, row.relation, row.how, row.entry, facets))
    return Answer(subject, direction, as_of, depth, walk.is_cut, tuple(versions), tuple(runs), tuple(edges))


def read_versions(tables: LineageTables, ids: list[int], *, as_of: int, read_statement: ReadStatement) -> list[Version]:
    """The versions with these ids, in the order given."""
    digests: dict[int, dict[str, str]] = {}
    for row in tables.read_digests(ids, as_of=as_of):
        digests.setdefault(row.version, {})[row.algorithm] = row.hex
    makers: dict[int, int] = {}
    for row in tables.read_edges("was_generated_by", versions_in=ids, as_of=as_of) if ids else []:
        makers[row.version] = makers.get(row.version, 0) + 1
    sources: dict[int, list[int]] = {}
    for row in tables.read_sources(ids, as_of=as_of):
        sources.setdefault(row.version, []).append(row.entry)
    found = {}
    for row in tables.read_versions(ids):
        known = digests.get(row.id, {})
        ordered = {algorithm: known[algorithm] for algorithm in DIGEST_SIZES if algorithm in known}
        found[row.id] = Version(
            key=row.id,
            namespace=row.namespace,
            name=row.name,
            digests=ordered,
            total_bytes=row.total_bytes,
            rows=row.rows,
            entry=row.entry,
            makers=makers.get(row.id, 0),
            sources=tuple(dict(read_statement(entry).predicate) for entry in sources.get(row.id, ())),
            source_entries=tuple(sources.get(row.id, ())),
        )
    return [found[key] for key in ids]


def _runs(
    tables: LineageTables, ids: list[int], as_of: int, read_statement: ReadStatement
) -> tuple[list[Run], dict[tuple[int, str, str, str], dict[str, Any]]]:
    """The runs, and the facets that each event about them gives each data set."""
    events: dict[int, list[Any]] = {}
    for row in tables.read_run_events(ids, as_of=as_of):
        events.setdefault(row.run, []).append(row)
    rows = {row.id: row for row in tables.read_runs(ids)}
    gaps: dict[str, list[Any]] = {}
    for row in tables.read_gaps([row.run_id for row in rows.values()], as_of=as_of):
        gaps.setdefault(row.run_id, []).append(row.entry)
    runs, datasets = [], {}
    for run in ids:
        row, mine = rows[run], events.get(run, [])
        facets: dict[str, Any] = {}
        job_facets: dict[str, Any] = {}
        for event_row in mine:
            said = read_facets(read_statement(event_row.entry).predicate)
            facets.update(said.run)
            job_facets = {**job_facets, **said.job}
            job_facets = {name: facet for name, facet in job_facets.items() if facet.get("_deleted") is not True}
            datasets.update({(event_row.entry, *named): found for named, found in said.datasets.items()})
        told = [read_statement(entry) for entry in gaps.get(row.run_id, ())]
        entries = tuple(sorted([e.entry for e in mine] + gaps.get(row.run_id, [])))
        runs.append(
            Run(
                run_id=row.run_id,
                job_namespace=row.job_namespace,
                job_name=row.job_name,
                state=_state(mine),
                started_at=_time_of(mine, ("START",)),
                ended_at=_time_of(mine, ("COMPLETE", "FAIL", "ABORT")),
                parent_run_id=row.parent_run_id,
                facets=facets,
                job_facets=job_facets,
                entries=entries,
                gaps=tuple(dict(gap.predicate) for gap in told),
            )
        )
    return runs, datasets


def read_runs(tables: LineageTables, ids: list[int], *, as_of: int, read_statement: ReadStatement) -> list[Run]:
    """The runs with these ids, in the order given."""
    return _runs(tables, ids, as_of, read_statement)[0]


def list_entries(tables: LineageTables, answer: Answer) -> list[int]:
    """The indexes of every statement that an answer rests on, the corrections of them, and every key statement."""
    entries = {entry for run in answer.runs for entry in run.entries}
    entries.update(entry for version in answer.versions for entry in version.source_entries)
    entries.update(edge.entry for edge in answer.edges)
    entries.update(row.entry for row in tables.read_corrections(sorted(entries), as_of=answer.as_of))
    entries.update(tables.list_key_entries())
    return sorted(entries)


def _state(events: list[Any]) -> str:
    last = next((e.event_type for e in reversed(events) if e.event_type), "OTHER")
    return "RUNNING" if last == "START" else str(last)


def _time_of(events: list[Any], types: tuple[str, ...]) -> str:
    return next((str(e.event_time) for e in events if e.event_type in types), "")


def find_version(tables: LineageTables, text: str, *, as_of: int, names: list[str] | None = None) -> int:
    """The id of the version that a user means.

    `text` is an entity's name (its newest version), the last part of a name when only one entity has it, or a digest,
    `sha256:1f0c…` or at least six of its hex digits. `names` are spellings of it to try as names first, such as the
    path relative to the project. Raises NotFoundError with near matches.
    """
    algorithm, _, digits = text.rpartition(":")
    if len(digits) >= 6 and all(c in "0123456789abcdef" for c in digits) and algorithm in {"", *DIGEST_SIZES}:
        ids = tables.find_versions_by_digest(digits, as_of=as_of, algorithm=algorithm or None)
        if ids:
            return _only(tables, ids, text, as_of)
    for name in [*(names or []), text]:
        for entity in tables.find_entities(name, as_of=as_of):
            if versions := tables.versions_of(entity.id, as_of=as_of):
                return int(versions[0].id)
    entities = list(tables.iter_entities(as_of=as_of))
    ending = [e for e in entities if e.name.endswith("/" + text)]
    if len(ending) == 1 and (versions := tables.versions_of(ending[0].id, as_of=as_of)):
        return int(versions[0].id)
    known = [e.name for e in entities]
    if len(ending) > 1:
        names_found = ", ".join(e.name for e in ending[:5])
        raise NotFoundError(f"{text!r} could be {len(ending)} things: {names_found}", hint="give more of the name")
    near = difflib.get_close_matches(text, known, n=3, cutoff=0.4)
    tails = {name.rsplit("/", 1)[-1]: name for name in known}
    near += [tails[t] for t in difflib.get_close_matches(text.rsplit("/", 1)[-1], tails, n=3) if tails[t] not in near]
    hint = f"did you mean {', '.join(near[:3])}?" if near else "`wherefrom status` lists what is recorded"
    raise NotFoundError(f"nothing named {text!r} is recorded", hint=hint)


def _only(tables: LineageTables, ids: list[int], text: str, as_of: int) -> int:
    """Several entities may hold the same content; then the one last made is meant."""
    digests = {format_digest(d.algorithm, d.hex) for d in tables.read_digests(ids, as_of=as_of) if text[-6:] in d.hex}
    if len({d for d in digests if d.split(":")[1].startswith(text.rpartition(":")[2])}) > 1:
        found = ", ".join(sorted(digests)[:3])
        raise NotFoundError(f"{text!r} begins more than one digest: {found}", hint="give more digits")
    made = tables.read_edges("was_generated_by", versions_in=ids, as_of=as_of)
    return int(made[-1].version) if made else ids[-1]
