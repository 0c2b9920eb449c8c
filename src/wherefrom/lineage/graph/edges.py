"""The edges that eras give: data sets into ports, ports into data sets, by number."""

from __future__ import annotations

from collections.abc import Sequence

from wherefrom.lineage.graph.adjacency import Adjacency
from wherefrom.lineage.graph.arrays import Column
from wherefrom.lineage.graph.shapes import Flow


class Edges:
    """Ports and their edges, appended to and never changed: whether they hold is their era's to say.

    A port's edges lie together: those of port p are `source_from[p]` to `source_from[p + 1]`, and likewise its targets.

    Attributes:
        era, owner, basis, ordinal: of each port; its owner is a node, and the ordinal counts the ports of an era.
        source_node, source_port, source_how: of each edge into a port; the code is that of `shapes.HOWS`.
        readers, writers: the edges from and to a node; owned: the ports of an owner.
    """

    def __init__(self) -> None:
        self.era = Column("i")
        self.owner = Column("i")
        self.basis = Column("b")
        self.ordinal = Column("i")
        self.source_from = Column("i", [0])
        self.target_from = Column("i", [0])
        self.source_node = Column("i")
        self.source_port = Column("i")
        self.source_how = Column("b")
        self.target_node = Column("i")
        self.target_port = Column("i")
        self.target_how = Column("b")
        self.readers = Adjacency(self.source_node)
        self.writers = Adjacency(self.target_node)
        self.owned = Adjacency(self.owner)
        self.jobs_as_ends: set[int] = set()
        """Jobs that are themselves a source or a target: an explicit facet said so, which is rare."""

    def __len__(self) -> int:
        """How many ports there are."""
        return len(self.era)

    def own(self) -> None:
        for column in vars(self).values():
            if isinstance(column, Column):
                column.own()

    def add(self, era: int, owner: int, flows: Sequence[Flow]) -> None:
        for ordinal, flow in enumerate(flows):
            port = len(self.era)
            self.era.values.append(era)
            self.owner.values.append(owner)
            self.basis.values.append(flow.basis)
            self.ordinal.values.append(ordinal)
            for node, how in flow.sources:
                self.source_node.values.append(node)
                self.source_port.values.append(port)
                self.source_how.values.append(how)
                if node % 2:
                    self.jobs_as_ends.add(node)
            for node, how in flow.targets:
                self.target_node.values.append(node)
                self.target_port.values.append(port)
                self.target_how.values.append(how)
                if node % 2:
                    self.jobs_as_ends.add(node)
            self.source_from.values.append(len(self.source_node))
            self.target_from.values.append(len(self.target_node))

    def settle(self) -> None:
        for adjacency in (self.readers, self.writers, self.owned):
            adjacency.settle()

    def owners_at(self, node: int) -> list[int]:
        """Owners that were ever said to use a node or to make it."""
        ports = [self.source_port.values[edge] for edge in self.readers.of(node)]
        ports += [self.target_port.values[edge] for edge in self.writers.of(node)]
        return sorted({self.owner.values[port] for port in ports})
