"""Where tables come from: each module turns one kind of source into record batches."""

from wherefrom.fingerprints.sources.base import Reread, Table
from wherefrom.fingerprints.sources.opening import open_table

__all__ = ["Reread", "Table", "open_table"]
