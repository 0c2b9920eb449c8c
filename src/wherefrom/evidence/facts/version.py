"""What is known of one version, from itself and from the edges that lead to it."""

from __future__ import annotations

from dataclasses import dataclass

from wherefrom.evidence.facts.graph import Graph
from wherefrom.evidence.facts.reading import list_at, text_at
from wherefrom.lineage import Version

_FINGERPRINT = "wherefrom_fingerprint"


@dataclass(frozen=True)
class VersionFacts:
    """What stands beside a version's name, size and digests.

    Attributes:
        columns: name and type of each, in the order recorded; empty when no schema was.
        known: how, and through what: `observed via open, pandas.read_parquet`; one for each way of knowing.
        estimator: class of the model that was saved in it; "" when none is known.
        other_makers: runs that made the same content and are not in the answer.
    """

    columns: tuple[tuple[str, str], ...]
    known: tuple[str, ...]
    estimator: str
    other_makers: int


def read_version(graph: Graph, version: Version) -> VersionFacts:
    columns: tuple[tuple[str, str], ...] = ()
    known: dict[str, dict[str, None]] = {}
    estimator = ""
    edges = graph.edges_of(version)
    for edge in edges:
        through = known.setdefault(edge.how, {})
        if via := text_at(edge.facets, _FINGERPRINT, "via"):
            through.setdefault(via)
        columns = columns or _columns(edge.facets)
        estimator = estimator or text_at(edge.facets, "wherefrom_model", "estimator")
    others = max(version.makers - len(graph.makers_of(version)), 0)
    told = tuple(how + (f" via {', '.join(through)}" if through else "") for how, through in known.items())
    return VersionFacts(columns, told, estimator, others)


def _columns(facets: dict[str, object]) -> tuple[tuple[str, str], ...]:
    fields = list_at(facets, "schema", "fields")
    return tuple((text_at(field, "name"), text_at(field, "type")) for field in fields if text_at(field, "name"))
