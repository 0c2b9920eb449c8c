"""Putting the report together: the same answer gives the same bytes, so that its digest can be signed."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from wherefrom.evidence.facts import (
    Graph,
    find_unknowns,
    iter_outline,
    read_gaps,
    read_run,
    read_sources,
    read_version,
    words,
)
from wherefrom.evidence.report.drawing import to_drawing
from wherefrom.evidence.report.summary import count_sources, list_doubts, summarize
from wherefrom.lineage import Answer
from wherefrom.statements import name_of

_STYLES = ("report.css",)
_SCRIPTS = ("dagre/dagre.min.js", "graph.js", "page.js")
# Deeper nesting gains no reader anything, and browsers flatten documents beyond some 500 levels.
_MAX_OUTLINE_DEPTH = 40
# More runs, or more names in a row, than this are shown folded up.
_MAX_OPEN_RUNS = 6
_FOLD_BEYOND = 12


@dataclass(frozen=True)
class StatementRow:
    """A statement the report rests on.

    Attributes:
        statement_id: its leaf hash, in hex.
        kind: predicate type, a URI.
        producer: who signed it, as people should read it.
        received: when the ledger took it, RFC 3339.
    """

    index: int
    statement_id: str
    kind: str
    producer: str
    received: str


def render_report(
    answer: Answer,
    *,
    checkpoint_text: str,
    origin: str,
    statements: Sequence[StatementRow],
    made_by: str,
    erased: Sequence[str] = (),
) -> str:
    """One HTML document with everything in it.

    Whatever the answer holds is shown as text: marked-up names stay text, and what can't be seen is written out.

    Args:
        checkpoint_text: the signed note of the ledger's state that the answer was computed from.
        origin: the ledger's name.
        statements: in index order; entries of the answer that are not among them are named without a link.
        made_by: the software that made the report, with its version.
        erased: a sentence for each thing that the answer would have rested on, and that the ledger holds no longer.
    """
    answer = _in_order(answer)
    graph = Graph(answer)
    runs = {run.run_id: read_run(run) for run in answer.runs}
    styles, scripts = [_asset(name) for name in _STYLES], [_script(name) for name in _SCRIPTS]
    page: str = _template().render(
        graph=graph,
        answer=answer,
        subject=graph.subject,
        run_facts=runs,
        version_facts={version.key: read_version(graph, version) for version in answer.versions},
        run_numbers={run.run_id: number for number, run in enumerate(answer.runs, 1)},
        outline=list(iter_outline(graph, max_depth=_MAX_OUTLINE_DEPTH)),
        drawing=to_drawing(graph, runs),
        summary=summarize(graph),
        doubts=list_doubts(graph),
        source_count=count_sources(graph),
        unknowns=find_unknowns(graph, runs),
        gaps={run.run_id: read_gaps(run) for run in answer.runs if run.gaps},
        stated={version.key: read_sources(version) for version in answer.versions},
        known_digests={f"{a}:{text}": v for v in reversed(answer.versions) for a, text in v.digests.items()},
        same_packages=_first_with_same_packages(runs),
        max_open_runs=_MAX_OPEN_RUNS,
        fold_beyond=_FOLD_BEYOND,
        checkpoint_text=checkpoint_text,
        origin=origin,
        statements=statements,
        listed_entries={row.index for row in statements},
        kinds=sorted({row.kind for row in statements}),
        made_by=made_by,
        erased=erased,
        styles=styles,
        scripts=scripts,
        policy=_policy(styles, scripts),
    )
    return page


def _in_order(answer: Answer) -> Answer:
    """The answer with runs and versions as they were first spoken of: causes come before effects."""
    runs = sorted(answer.runs, key=lambda run: min(run.entries, default=answer.as_of))
    versions = sorted(answer.versions, key=lambda version: version.entry)
    return replace(answer, runs=tuple(runs), versions=tuple(versions))


def _first_with_same_packages(runs: dict[str, Any]) -> dict[str, str]:
    """Run id to the id of the first run with the same packages, so that a long list is printed once."""
    first: dict[Any, str] = {}
    return {run_id: first.setdefault(facts.packages, run_id) for run_id, facts in runs.items() if facts.packages}


def _policy(styles: Sequence[str], scripts: Sequence[str]) -> str:
    """A content security policy that lets the page run what we wrote into it, and load nothing."""
    return "; ".join(
        [
            "default-src 'none'",
            "script-src " + " ".join(map(_source_hash, scripts)),
            "style-src " + " ".join(map(_source_hash, styles)),
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _source_hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _script(name: str) -> str:
    """A script's text, under the licence it comes with, and without the pointer to its source map."""
    text = _asset(name).partition("//# sourceMappingURL=")[0]
    folder = name.rpartition("/")[0]
    return f"/*\n{_asset(folder + '/LICENSE')}*/\n{text}" if folder else text


@cache
def _asset(name: str) -> str:
    return files(__package__).joinpath("assets", *name.split("/")).read_text("utf-8")


@cache
def _template() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def finalize(value: Any) -> Any:
        """What every `{{ … }}` goes through before it is escaped."""
        return words.visible(value, keep="\n\t") if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(
        loader=PackageLoader(__package__, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def breakable(text: str) -> Any:
        """A name that may go on in the next line after a slash, and is copied as it is."""
        return Markup("/<wbr>").join(words.visible(text).split("/"))

    environment.filters.update(
        breakable=breakable,
        number=words.format_number,
        plural=words.format_plural,
        duration=words.format_duration,
        instant=words.format_instant,
        kind=name_of,
        trusted=Markup,
    )
    return environment.get_template("page.html.jinja")
