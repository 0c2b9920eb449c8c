"""What an answer shows, by number: the nearest nodes, and the edges between them."""

from __future__ import annotations

from dataclasses import dataclass, field

from wherefrom.lineage.graph.graph import Alias, Graph


@dataclass
class Drawn:
    """An answer's nodes and edges.

    Attributes:
        nodes: those that may be seen; steps: how far each is from where it began.
        sources: edges into ports; targets: edges out of them.
        names: of each node that has several, the aliases that give it the others.
        aliases: those that join nodes shown.
        hidden: nodes at the border, which may not be seen.
        borders: edges between a node and a hidden one: -1 for the first hidden node, -2 for the second.
        is_cut: there were more nodes than were asked for; is_deeper: there is more, beyond the last step.
    """

    nodes: list[int] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    names: dict[int, list[Alias]] = field(default_factory=dict)
    aliases: list[Alias] = field(default_factory=list)
    hidden: list[int] = field(default_factory=list)
    borders: list[tuple[int, int]] = field(default_factory=list)
    is_cut: bool = False
    is_deeper: bool = False

    @property
    def truncated(self) -> str | None:
        """Which limit left something out."""
        return "maxNodes" if self.is_cut else "depth" if self.is_deeper else None


def list_eras(graph: Graph, drawn: Drawn) -> list[int]:
    """The eras that what is drawn rests on."""
    edges = graph.edges
    ports = edges.source_port.pick(drawn.sources) + edges.target_port.pick(drawn.targets)
    return sorted(set(edges.era.pick(ports)))
