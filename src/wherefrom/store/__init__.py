"""The SQL: where an archive keeps its ledger and its views. Knows tables, not what they mean."""

from wherefrom.store.attestation_tables import AttestationTables, StoredAnchor
from wherefrom.store.database import Database
from wherefrom.store.ledger_tables import LedgerTables, StoredEntry
from wherefrom.store.lineage_tables import LineageTables
from wherefrom.store.lineage_writer import LineageWriter
from wherefrom.store.schema import SCHEMA_VERSION, VIEWS

__all__ = [
    "SCHEMA_VERSION",
    "VIEWS",
    "AttestationTables",
    "Database",
    "LedgerTables",
    "LineageTables",
    "LineageWriter",
    "StoredAnchor",
    "StoredEntry",
]
