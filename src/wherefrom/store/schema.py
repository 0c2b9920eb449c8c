"""The tables: the ledger's, which are the truth, and the views', which `rebuild` makes again from it.

A row of a view carries the index of the entry that made it (`entry`), so "as of entry N" is `entry < N`; nothing in a
view is ever updated but `retracted`, the index of the correction that took a row back, and a version's sizes, which are
facts about its content and are filled in when first said.

There are no foreign keys: one writer makes all rows, the views are compared with what the ledger gives, and PostgreSQL
takes longer to look up what a row refers to than to store the row.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from wherefrom.errors import FormatError

metadata = sa.MetaData()

# 64 bits on both systems; as a lone primary key it is SQLite's own row number.
NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
# Ordered by code point on both systems, whatever language a PostgreSQL server is set to.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


class Bytes(sa.TypeDecorator[bytes]):
    """Bytes, and nothing that SQLite, whose columns take any value, was given in their place."""

    impl = sa.LargeBinary
    cache_ok = True

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> bytes | None:  # noqa: ARG002 - SQLAlchemy's
        if value is None or type(value) is bytes:
            return value
        raise FormatError(f"the database has {type(value).__name__} {value!r:.50} where bytes belong")


# Set by the newest file in migrations/versions; a test holds the two together.
SCHEMA_VERSION = "0002"

archive = sa.Table(
    "archive",
    metadata,
    sa.Column("key", TEXT, primary_key=True),
    sa.Column("value", TEXT, nullable=False),
)

# --- the ledger ------------------------------------------------------------------------------------------------------

entries = sa.Table(
    "entries",
    metadata,
    sa.Column("idx", NUMBER, primary_key=True, autoincrement=False),
    sa.Column("entry", Bytes, nullable=False),
    sa.Column("leaf_hash", Bytes, nullable=False),
    # SHA-256 of payload and key ids: the same statement by the same keys is recorded once. Erased with the payload.
    sa.Column("dedup", Bytes),
    sa.Column("kind", TEXT, nullable=False),
    sa.Column("received", TEXT, nullable=False),  # never before that of the entry ahead, so it needs no index
)
# The entries by `leaf_hash` and by `dedup`: see hash_index.py.
hash_index = sa.Table(
    "hash_index",
    metadata,
    sa.Column("level", NUMBER, primary_key=True),
    sa.Column("key", NUMBER, primary_key=True),
    sa.Column("idx", NUMBER, primary_key=True),
    sqlite_with_rowid=False,
)
payloads = sa.Table(
    "payloads",
    metadata,
    sa.Column("idx", NUMBER, primary_key=True, autoincrement=False),
    sa.Column("salt", Bytes, nullable=False),
    sa.Column("envelope", Bytes, nullable=False),
)
tiles = sa.Table(
    "tiles",
    metadata,
    sa.Column("level", NUMBER, primary_key=True),
    sa.Column("idx", NUMBER, primary_key=True),
    sa.Column("data", Bytes, nullable=False),
)
checkpoints = sa.Table(
    "checkpoints",
    metadata,
    sa.Column("size", NUMBER, primary_key=True, autoincrement=False),
    sa.Column("note", Bytes, nullable=False),
)
# What others say of our checkpoints. Outside the tree: it may come late, and more may come at any time.
cosignatures = sa.Table(
    "cosignatures",
    metadata,
    sa.Column("size", NUMBER, primary_key=True, autoincrement=False),
    sa.Column("witness", TEXT, primary_key=True),  # the key's label
    sa.Column("signature", Bytes, nullable=False),  # without the key id
)
anchors = sa.Table(
    "anchors",
    metadata,
    sa.Column("size", NUMBER, primary_key=True, autoincrement=False),
    sa.Column("kind", TEXT, primary_key=True),  # "rfc3161" or "opentimestamps"
    sa.Column("authority", TEXT, primary_key=True),  # the URL that was asked
    sa.Column("proof", Bytes, nullable=False),
)

# --- views -----------------------------------------------------------------------------------------------------------

entities = sa.Table(
    "entities",
    metadata,
    sa.Column("id", NUMBER, primary_key=True, autoincrement=False),
    sa.Column("namespace", TEXT, nullable=False),
    sa.Column("name", TEXT, nullable=False),
    sa.Column("entry", NUMBER, nullable=False),
    # Names may be longer than a row of a PostgreSQL B-tree (2,704 bytes). That there is one of each, the only writer
    # sees to, and comparing the views with the ledger.
    sa.Index("entities_by_name", "name", postgresql_using="hash"),
)
versions = sa.Table(
    "versions",
    metadata,
    sa.Column("id", NUMBER, primary_key=True, autoincrement=False),
    sa.Column("entity", NUMBER, nullable=False),
    # `algorithm:hex`; "" for "whatever the name held", since NULL = NULL is not true in SQL.
    sa.Column("digest", TEXT, nullable=False),
    sa.Column("total_bytes", NUMBER),
    sa.Column("rows", NUMBER),
    sa.Column("entry", NUMBER, nullable=False),
    sa.UniqueConstraint("entity", "digest"),
)
digests = sa.Table(
    "digests",
    metadata,
    sa.Column("version", NUMBER, primary_key=True),
    sa.Column("algorithm", TEXT, primary_key=True),
    sa.Column("hex", TEXT, nullable=False),
    sa.Column("entry", NUMBER, nullable=False),
    sa.Index("digests_by_hex", "hex"),
)
jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", NUMBER, primary_key=True, autoincrement=False),
    sa.Column("namespace", TEXT, nullable=False),
    sa.Column("name", TEXT, nullable=False),
    sa.Column("entry", NUMBER, nullable=False),
    sa.Index("jobs_by_name", "name", postgresql_using="hash"),
)
runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", NUMBER, primary_key=True, autoincrement=False),
    sa.Column("run_id", TEXT, nullable=False, unique=True),
    sa.Column("job", NUMBER, nullable=False),
    sa.Column("parent_run_id", TEXT),
    sa.Column("entry", NUMBER, nullable=False),
    sa.Index(
        "runs_by_parent",
        "parent_run_id",
        sqlite_where=sa.text("parent_run_id IS NOT NULL"),
        postgresql_where=sa.text("parent_run_id IS NOT NULL"),
        postgresql_using="hash",
    ),
)
# Every OpenLineage event, of a run or not. Which shape it has is what it says about lineage: docs/spec/lineage.md.
events = sa.Table(
    "events",
    metadata,
    sa.Column("entry", NUMBER, primary_key=True, autoincrement=False),
    sa.Column("run", NUMBER, nullable=False, index=True),  # 0 for an event of no run
    sa.Column("job", NUMBER, nullable=False),  # 0 for a DatasetEvent
    sa.Column(
        "dataset", NUMBER, nullable=False
    ),  # the entity that a DatasetEvent is about, by its canonical name; or 0
    sa.Column("event_type", TEXT, nullable=False),
    sa.Column("event_time", TEXT, nullable=False),
    sa.Column("at", NUMBER, nullable=False),  # the same, in microseconds since 1970
    sa.Column("shape", NUMBER, nullable=False),  # 0 when it says nothing about lineage
)
# What an event says about lineage, without when and in which run: most events of a job say the same.
shapes = sa.Table(
    "shapes",
    metadata,
    sa.Column("id", NUMBER, primary_key=True, autoincrement=False),
    sa.Column("digest", Bytes, nullable=False, unique=True),  # SHA-256 of the body
    sa.Column("body", TEXT, nullable=False),
    sa.Column("entry", NUMBER, nullable=False),
)
# That two names are of one data set: because of how they are spelled, or because an event says so.
aliases = sa.Table(
    "aliases",
    metadata,
    sa.Column("id", NUMBER, primary_key=True, autoincrement=False),
    sa.Column("entity", NUMBER, nullable=False, index=True),
    sa.Column("canonical", NUMBER, nullable=False, index=True),
    sa.Column("reason", TEXT, nullable=False),
    sa.Column("entry", NUMBER, nullable=False),
    sa.Column("retracted", NUMBER),
)
# A version as another system calls it (a Delta version, an Iceberg snapshot), and the runs that used or generated it.
named_versions = sa.Table(
    "named_versions",
    metadata,
    sa.Column("id", NUMBER, primary_key=True, autoincrement=False),
    sa.Column("entity", NUMBER, nullable=False),
    sa.Column("version", TEXT, nullable=False),
    sa.Column("entry", NUMBER, nullable=False),
    sa.Index("named_versions_by_entity", "entity", "version"),
)
named_version_edges = sa.Table(
    "named_version_edges",
    metadata,
    sa.Column("id", NUMBER, primary_key=True, autoincrement=False),
    sa.Column("run", NUMBER, nullable=False, index=True),
    sa.Column("version", NUMBER, nullable=False, index=True),
    sa.Column("relation", TEXT, nullable=False),
    sa.Column("entry", NUMBER, nullable=False),
    sa.Column("retracted", NUMBER),
)
# That a data set or a job is no more: its history stays.
deletions = sa.Table(
    "deletions",
    metadata,
    sa.Column("entry", NUMBER, primary_key=True, autoincrement=False),
    sa.Column("dataset", NUMBER, primary_key=True, autoincrement=False),  # an entity by its canonical name, or 0
    sa.Column("job", NUMBER, primary_key=True, autoincrement=False),  # or 0
    sa.Column("at", NUMBER, nullable=False),  # microseconds since 1970
    sa.Column("retracted", NUMBER),
)
# Where an event that was taken breaks OpenLineage's specification.
marks = sa.Table(
    "marks",
    metadata,
    sa.Column("entry", NUMBER, primary_key=True, autoincrement=False),
    sa.Column("position", NUMBER, primary_key=True, autoincrement=False),
    sa.Column("path", TEXT, nullable=False),
    sa.Column("message", TEXT, nullable=False),
)
edges = sa.Table(
    "edges",
    metadata,
    sa.Column("id", NUMBER, primary_key=True, autoincrement=False),
    sa.Column("run", NUMBER, nullable=False, index=True),
    sa.Column("version", NUMBER, nullable=False),
    sa.Column("relation", TEXT, nullable=False),
    sa.Column("how", TEXT, nullable=False),
    sa.Column("entry", NUMBER, nullable=False),
    sa.Column("retracted", NUMBER),
    sa.Index("edges_by_version", "version", "entry"),
    sa.Index("edges_by_entry", "entry", postgresql_using="brin"),  # rows lie in the order of entries
)
gaps = sa.Table(
    "gaps",
    metadata,
    sa.Column("entry", NUMBER, primary_key=True, autoincrement=False),
    sa.Column("run_id", TEXT, nullable=False),
    sa.Index("gaps_by_run", "run_id", postgresql_using="hash"),
)
sources = sa.Table(
    "sources",
    metadata,
    sa.Column("entry", NUMBER, primary_key=True, autoincrement=False),
    sa.Column("version", NUMBER, nullable=False, index=True),
    sa.Column("retracted", NUMBER),
)
# Where key statements lie: what they add up to, `statements.KeyBook` reads from them.
keys = sa.Table(
    "keys",
    metadata,
    sa.Column("entry", NUMBER, primary_key=True, autoincrement=False),
    sa.Column("key_id", TEXT, nullable=False),
)
corrections = sa.Table(
    "corrections",
    metadata,
    sa.Column("entry", NUMBER, primary_key=True, autoincrement=False),
    sa.Column("target", NUMBER, nullable=False, index=True),
    sa.Column("action", TEXT, nullable=False),
)
# What says what may be erased, must be kept, or was erased: docs/spec/erasure.md.
erasures = sa.Table(
    "erasures",
    metadata,
    sa.Column("entry", NUMBER, primary_key=True, autoincrement=False),
    sa.Column("kind", TEXT, nullable=False, index=True),  # "redaction", "hold", …
    sa.Column("target", NUMBER, index=True),  # the entry that a redaction or a release names
)
# Where the statements lie that say who may do what: what they add up to, `statements.AccessBook` reads from them.
access = sa.Table(
    "access",
    metadata,
    sa.Column("entry", NUMBER, primary_key=True, autoincrement=False),
    sa.Column("kind", TEXT, nullable=False),  # "grant", "token", "denial", …
)

# In the order in which they can be filled; emptied in reverse.
VIEWS = (
    entities,
    versions,
    digests,
    jobs,
    runs,
    events,
    shapes,
    aliases,
    named_versions,
    named_version_edges,
    deletions,
    marks,
    edges,
    gaps,
    sources,
    keys,
    corrections,
    erasures,
    access,
)
# What the views hold for a ledger: an archive that has another number makes them again when it is opened.
VIEWS_VERSION = "2"
