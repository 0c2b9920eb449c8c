"""The live graph: lineage in memory, made from the views and following them; docs/adr/0012-the-live-graph.md."""

from wherefrom.lineage.graph.drawing import draw, may_see
from wherefrom.lineage.graph.drawn import Drawn, list_eras
from wherefrom.lineage.graph.follow import Follower
from wherefrom.lineage.graph.graph import Graph, Views
from wherefrom.lineage.graph.names import NEVER, Name, dataset_node, job_node
from wherefrom.lineage.graph.render import Renderer, time_text
from wherefrom.lineage.graph.walk import Found, Scope, Way, walk

__all__ = [
    "NEVER",
    "Drawn",
    "Follower",
    "Found",
    "Graph",
    "Name",
    "Renderer",
    "Scope",
    "Views",
    "Way",
    "dataset_node",
    "draw",
    "job_node",
    "list_eras",
    "may_see",
    "time_text",
    "walk",
]
