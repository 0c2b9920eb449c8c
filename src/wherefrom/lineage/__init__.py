"""The graph that the statements draw, and the questions it answers."""

from wherefrom.lineage.answer import Answer, Direction, Edge, Run, Version
from wherefrom.lineage.projection import prepare, project
from wherefrom.lineage.questions import find_version, list_entries, read_runs, read_versions, trace
from wherefrom.lineage.rebuild import compare_views, project_all

__all__ = [
    "Answer",
    "Direction",
    "Edge",
    "Run",
    "Version",
    "compare_views",
    "find_version",
    "list_entries",
    "prepare",
    "project",
    "project_all",
    "read_runs",
    "read_versions",
    "trace",
]
