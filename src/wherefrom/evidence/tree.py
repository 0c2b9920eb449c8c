"""The lineage of a version as a text tree for the terminal.

    models/delay.joblib  1.23 MB  sha256:1f0c2d3e4b5a…
    └─ made by train.py  COMPLETE  12.3 s  2026-11-20 08:20:07 UTC  run 0192f3a1
       │  git 1a2b3c4 (clean), Python 3.11.9, 87 packages
       │  fit RandomForestRegressor: max_depth=12, n_estimators=50
       └─ from data/features.parquet  246,912 rows  sha256:5c1d…
          └─ made by features.py …

Read downwards, it goes from effect to cause; with direction "down", from cause to effect.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.cells import cell_len

from wherefrom.evidence.facts import Graph, OutlineItem, RunFacts, iter_outline, read_gaps, read_run, read_sources
from wherefrom.evidence.facts.words import (
    format_bytes,
    format_duration,
    format_instant,
    format_plural,
    short_digest,
    shorten_middle,
    visible,
)
from wherefrom.lineage import Answer, Edge, Run, Version

MIN_WIDTH = 40
_MAX_DETAIL_LINES = 3
_COLUMNS_PER_LEVEL = 3
_SGR = {"name": "1", "run": "1;36", "muted": "2", "warning": "33", "failure": "1;31"}


@dataclass(frozen=True)
class _Cell:
    """A piece of text that is not broken; `style` is a key of _SGR, or "" for plain."""

    text: str
    style: str = ""


@dataclass(frozen=True)
class _Marks:
    branch: str
    last: str
    through: str
    ellipsis: str


_UNICODE = _Marks("├─ ", "└─ ", "│  ", "…")
_ASCII = _Marks("|- ", "`- ", "|  ", "..")


def format_tree(answer: Answer, *, width: int, colour: bool, encoding: str = "utf-8") -> str:
    r"""Draw an answer, one line end at the end of each line.

    Args:
        width: columns of the terminal; below MIN_WIDTH counts as MIN_WIDTH.
        colour: add ANSI colours; they say nothing that the text does not.
        encoding: of the stream that will print it. Other than UTF-8, lines are drawn in ASCII, and what the encoding
            lacks is written out as `\u2026`.
    """
    is_utf8 = codecs.lookup(encoding).name == "utf-8"
    text = "".join(_Tree(answer, max(width, MIN_WIDTH), colour, _UNICODE if is_utf8 else _ASCII).lines())
    return text if is_utf8 else text.encode(encoding, "backslashreplace").decode(encoding)


class _Tree:
    def __init__(self, answer: Answer, width: int, colour: bool, marks: _Marks) -> None:
        self.graph = Graph(answer)
        self.width, self.colour, self.marks = width, colour, marks
        self.facts: dict[str, RunFacts] = {run.run_id: read_run(run) for run in answer.runs}

    def lines(self) -> Iterator[str]:
        max_depth = self.width // 2 // _COLUMNS_PER_LEVEL
        trunk: list[str] = []  # what runs down on the left of each depth
        is_first = True
        for item in iter_outline(self.graph, max_depth=max_depth):
            if item.depth == 0:
                if not is_first:
                    yield "\n"
                is_first, trunk, lead = False, [], ""
            else:
                del trunk[item.depth - 1 :]
                lead = (
                    "".join(trunk)
                    + (self.marks.last if item.is_last else self.marks.branch)
                    + self._relation(item.node)
                )
                trunk.append("   " if item.is_last else self.marks.through)
            rest = "".join(trunk) + (self.marks.through if item.has_children else "   ")
            yield from self._fill(self._head(item), lead, rest, gap="  ")
            if not item.is_repeat and not item.is_continued:
                for detail in self._details(item.node):
                    yield from self._fill(detail, rest, rest + "  ", max_lines=_MAX_DETAIL_LINES)
        yield "\n"
        yield from self._footer()

    def _head(self, item: OutlineItem) -> list[_Cell]:
        node, edge = item.node, item.edge
        cells = [_Cell(visible(_name_of(node)), "name" if isinstance(node, Version) else "run")]
        if item.is_repeat:
            return [*cells, *_how_known(edge), _Cell("(above)", "muted")]
        if item.is_continued:
            return [*cells, *_how_known(edge), _Cell("(continued below)", "muted")]
        told = self._of_version(node) if isinstance(node, Version) else self._of_run(node)
        return [*cells, *told, *_how_known(edge)]

    def _relation(self, node: Version | Run) -> str:
        is_up = self.graph.answer.direction == "up"
        if isinstance(node, Version):
            return "from " if is_up else "made "
        return "made by " if is_up else "used by "

    def _of_version(self, version: Version) -> list[_Cell]:
        cells = []
        if version.rows is not None:
            cells.append(_Cell(format_plural(version.rows, "row")))
        if version.total_bytes is not None:
            cells.append(_Cell(format_bytes(version.total_bytes)))
        if version.digests:
            algorithm, text = next(iter(version.digests.items()))
            cells.append(_Cell(short_digest(algorithm, text, mark=self.marks.ellipsis), "muted"))
        else:
            cells.append(_Cell("content not seen", "warning"))
        return cells

    def _of_run(self, run: Run) -> list[_Cell]:
        facts = self.facts[run.run_id]
        cells = [_Cell(run.state, "" if run.state == "COMPLETE" else "failure" if run.state == "FAIL" else "warning")]
        if facts.duration_ms is not None:
            cells.append(_Cell(format_duration(facts.duration_ms)))
        if run.started_at:
            cells.append(_Cell(format_instant(run.started_at)))
        return [*cells, _Cell(f"run {run.run_id[:8]}", "muted")]

    def _details(self, node: Version | Run) -> Iterator[list[_Cell]]:
        if isinstance(node, Run):
            yield from self._details_of_run(node)
            return
        if self.graph.is_beyond(node):
            yield [_Cell("not followed further: the depth asked for is reached", "warning")]
        for statement in read_sources(node):
            said = [statement.licence, statement.origin, statement.original_purpose]
            told = ", ".join(part for part in said if part) or "stated, without details"
            yield [_Cell("source:"), *_words(told)]
        if not node.sources and self.graph.answer.direction == "up" and node.key in self.graph.sources:
            yield [_Cell("no source statement", "warning")]

    def _details_of_run(self, run: Run) -> Iterator[list[_Cell]]:
        facts = self.facts[run.run_id]
        if facts.code.commit:
            state = {None: "", True: " (uncommitted changes)", False: " (clean)"}[facts.code.is_dirty]
            code = f"git {facts.code.commit[:7]}{state}"
        else:
            code = "no git commit"
        packages = format_plural(len(facts.packages), "package") if facts.packages else ""
        environment = _listed([part for part in (code, facts.engine, packages) if part])
        is_doubtful = not facts.code.commit or facts.code.is_dirty
        yield [_Cell(environment[0].text, "warning" if is_doubtful else ""), *environment[1:]]
        if facts.parameters:
            yield [_Cell("parameters:"), *_listed([f"{name}={value}" for name, value in facts.parameters])]
        for fit in facts.fits:
            if fit.expression:
                yield [_Cell("fit"), *_words(fit.expression)]
                continue
            given = _listed([f"{name}={value}" for name, value in fit.parameters])
            yield [_Cell("fit"), _Cell(visible(fit.class_name) + (":" if given else "")), *given]
        if facts.metrics:
            yield [_Cell("metrics:"), *_listed([f"{metric.name}={metric.value}" for metric in facts.metrics])]
        if facts.error:
            yield [_Cell("ended by", "failure"), *_words(facts.error)]
        if run.gaps:
            gaps = [f"{gap.what}: {gap.path or gap.detail}" for gap in read_gaps(run)]
            yield [_Cell(f"! {format_plural(len(run.gaps), 'gap')}:", "warning"), *_listed(gaps)]

    def _footer(self) -> Iterator[str]:
        answer, graph = self.graph.answer, self.graph
        counts = [format_plural(len(answer.runs), "run"), format_plural(len(answer.versions), "data version")]
        if answer.direction == "up":
            sources = graph.sources.values()
            stated = sum(1 for version in sources if version.sources)
            of_these = f" ({stated} with a source statement)" if sources else ""
            counts.insert(0, format_plural(len(sources), "source") + of_these)
        counts.append(f"as of entry {answer.as_of - 1}" if answer.as_of else "as of an empty ledger")
        yield from self._fill(_listed(counts), "", "  ")
        gaps = [gap for run in answer.runs for gap in run.gaps]
        if gaps:
            told = f"! {format_plural(len(gaps), 'gap')}: something that was read or written could not be recorded"
            yield from self._fill(_words(told, "warning"), "", "  ")
        if answer.is_cut:
            told = f"! cut at a depth of {format_plural(answer.depth or 0, 'run')}: there is more beyond it"
            yield from self._fill(_words(told, "warning"), "", "  ")

    def _fill(
        self, cells: Sequence[_Cell], lead: str, rest: str, *, gap: str = " ", max_lines: int | None = None
    ) -> Iterator[str]:
        """Set cells side by side, `lead` before the first line and `rest` before the others.

        A cell wider than a line is shortened in its middle. What does not fit in `max_lines` is counted instead.
        """
        rows: list[list[_Cell]] = [[]]
        for cell in cells:
            room = self.width - cell_len(rest if len(rows) > 1 else lead)
            if rows[-1] and _width_of([*rows[-1], cell], gap) > room:
                rows.append([])
                room = self.width - cell_len(rest)
            rows[-1].append(self._shortened(cell, room))
        if max_lines is not None and len(rows) > max_lines:
            rows = [*rows[: max_lines - 1], self._cut(rows[max_lines - 1 :], rest, gap)]
        for number, row in enumerate(rows):
            yield self._set(row, rest if number else lead, gap)

    def _cut(self, rows: list[list[_Cell]], rest: str, gap: str) -> list[_Cell]:
        """What of these rows fits in one, and how many cells do not."""
        row, hidden, room = list(rows[0]), sum(map(len, rows[1:])), self.width - cell_len(rest)
        while True:
            more = _Cell(f"{self.marks.ellipsis} {hidden} more", "muted")
            if _width_of([*row, more], gap) <= room:
                return [*row, more]
            if len(row) == 1:
                return [self._shortened(row[0], room - cell_len(gap + more.text)), more]
            row.pop()
            hidden += 1

    def _shortened(self, cell: _Cell, room: int) -> _Cell:
        return _Cell(shorten_middle(cell.text, room, mark=self.marks.ellipsis), cell.style)

    def _set(self, line: Sequence[_Cell], prefix: str, gap: str) -> str:
        painted = [
            self._paint(gap.join(cell.text for cell in cells), style)
            for style, cells in groupby(line, lambda c: c.style)
        ]
        return (self._paint(prefix, "muted") + gap.join(painted)).rstrip() + "\n"

    def _paint(self, text: str, style: str) -> str:
        return f"\x1b[{_SGR[style]}m{text}\x1b[0m" if self.colour and style and text else text


def _width_of(row: Sequence[_Cell], gap: str) -> int:
    return cell_len(gap.join(cell.text for cell in row))


def _name_of(node: Version | Run) -> str:
    return node.name if isinstance(node, Version) else node.job_name


def _how_known(edge: Edge | None) -> list[_Cell]:
    return [] if edge is None or edge.how == "observed" else [_Cell(f"({edge.how})", "warning")]


def _listed(parts: Sequence[str]) -> list[_Cell]:
    return [_Cell(visible(part) + ("," if number < len(parts) else "")) for number, part in enumerate(parts, 1)]


def _words(text: str, style: str = "") -> list[_Cell]:
    return [_Cell(visible(word), style) for word in text.split()]
