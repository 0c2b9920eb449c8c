"""What an answer says, in plain values: read from foreign facets with care, and put into words for people.

The report and the text tree are two printers of the same facts.
"""

from wherefrom.evidence.facts.graph import Graph
from wherefrom.evidence.facts.outline import OutlineItem, iter_outline
from wherefrom.evidence.facts.run import Code, Fit, FittedOn, LogRecord, Metric, RunFacts, read_run
from wherefrom.evidence.facts.stated import GapFacts, SourceFacts, read_gaps, read_sources
from wherefrom.evidence.facts.unknowns import Unknown, find_unknowns
from wherefrom.evidence.facts.version import VersionFacts, read_version

__all__ = [
    "Code",
    "Fit",
    "FittedOn",
    "GapFacts",
    "Graph",
    "LogRecord",
    "Metric",
    "OutlineItem",
    "RunFacts",
    "SourceFacts",
    "Unknown",
    "VersionFacts",
    "find_unknowns",
    "iter_outline",
    "read_gaps",
    "read_run",
    "read_sources",
    "read_version",
]
