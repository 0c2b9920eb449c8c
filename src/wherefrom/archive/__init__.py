"""Archives, and all one can do with one. The only wiring of the rooms below.

`Archive` opens, records and answers; what else is done with one stands in a function of a file of its own.
"""

from wherefrom.archive.archive import Archive, Recorded
from wherefrom.archive.folder import FOLDER
from wherefrom.ledger import Receipt

__all__ = ["FOLDER", "Archive", "Receipt", "Recorded"]
