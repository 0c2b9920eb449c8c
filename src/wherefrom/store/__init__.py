"""The SQL: where an archive keeps its ledger and its views. Knows tables, not what they mean."""

from wherefrom.store.attestation_tables import AttestationTables, StoredAnchor
from wherefrom.store.database import Database
from wherefrom.store.erasing_tables import ErasingTables, scrub
from wherefrom.store.ledger_tables import Edge, LedgerTables, NewEntry, StoredEntry
from wherefrom.store.lineage_tables import LineageTables
from wherefrom.store.lineage_writer import LineageWriter, Named
from wherefrom.store.schema import SCHEMA_VERSION, VIEWS, VIEWS_VERSION

__all__ = [
    "SCHEMA_VERSION",
    "VIEWS",
    "VIEWS_VERSION",
    "AttestationTables",
    "Database",
    "Edge",
    "ErasingTables",
    "LedgerTables",
    "LineageTables",
    "LineageWriter",
    "Named",
    "NewEntry",
    "StoredAnchor",
    "StoredEntry",
    "scrub",
]
