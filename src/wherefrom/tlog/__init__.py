"""C2SP transparency logs, ours or others: read, check, follow, mirror and witness them. Knows no database of ours.

    source = open_source("https://example.com/log")
    checkpoint = open_trusted(read_checkpoint(source), policy).checkpoint
    check_log(source, checkpoint).outcome
    Mirror(Path("copy")).update(source, lambda note: open_trusted(note, policy).checkpoint)

Whatever is read is held against a checkpoint before it is used (`VerifiedLog`).
"""

from wherefrom.tlog.entries import format_entries, parse_entries
from wherefrom.tlog.fsck import check_log
from wherefrom.tlog.mirror import Mirror, RolledBackError
from wherefrom.tlog.monitor import Inspector, Monitor, Observation
from wherefrom.tlog.source import (
    FolderSource,
    HttpSource,
    LogSource,
    MemorySource,
    open_source,
    read_checkpoint,
    read_entries,
    read_tile,
)
from wherefrom.tlog.split_view import (
    SplitView,
    SplitViewError,
    format_split_view,
    make_split_view,
    parse_split_view,
    verify_split_view,
)
from wherefrom.tlog.target import FolderTarget, ObjectTarget, Target, open_target
from wherefrom.tlog.verified import VerifiedLog

__all__ = [
    "FolderSource",
    "FolderTarget",
    "HttpSource",
    "Inspector",
    "LogSource",
    "MemorySource",
    "Mirror",
    "Monitor",
    "ObjectTarget",
    "Observation",
    "RolledBackError",
    "SplitView",
    "SplitViewError",
    "Target",
    "VerifiedLog",
    "check_log",
    "format_entries",
    "format_split_view",
    "make_split_view",
    "open_source",
    "open_target",
    "parse_entries",
    "parse_split_view",
    "read_checkpoint",
    "read_entries",
    "read_tile",
    "verify_split_view",
]
