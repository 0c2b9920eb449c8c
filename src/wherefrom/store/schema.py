"""The tables: the ledger's, which are the truth, and the views', which `rebuild` makes again from it.

A row of a view carries the index of the entry that made it (`entry`), so "as of entry N" is `entry < N`; nothing in a
view is ever updated but `retracted`, the index of the correction that took a row back, and a version's sizes, which are
facts about its content and are filled in when first said.
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

# Set by the newest file in migrations/versions; a test holds the two together.
SCHEMA_VERSION = "0001"

archive = sa.Table(
    "archive",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

# --- the ledger ------------------------------------------------------------------------------------------------------

entries = sa.Table(
    "entries",
    metadata,
    sa.Column("idx", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("entry", sa.LargeBinary, nullable=False),
    sa.Column("leaf_hash", sa.LargeBinary, nullable=False, unique=True),
    # SHA-256 of payload and key ids: the same statement by the same keys is recorded once. Erased with the payload.
    sa.Column("dedup", sa.LargeBinary, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("received", sa.Text, nullable=False, index=True),
)
payloads = sa.Table(
    "payloads",
    metadata,
    sa.Column("idx", sa.ForeignKey("entries.idx"), primary_key=True, autoincrement=False),
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Column("envelope", sa.LargeBinary, nullable=False),
)
tiles = sa.Table(
    "tiles",
    metadata,
    sa.Column("level", sa.Integer, primary_key=True),
    sa.Column("idx", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
)
checkpoints = sa.Table(
    "checkpoints",
    metadata,
    sa.Column("size", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("note", sa.LargeBinary, nullable=False),
)
# What others say of our checkpoints. Outside the tree: it may come late, and more may come at any time.
cosignatures = sa.Table(
    "cosignatures",
    metadata,
    sa.Column("size", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("witness", sa.Text, primary_key=True),  # the key's label
    sa.Column("signature", sa.LargeBinary, nullable=False),  # without the key id
)
anchors = sa.Table(
    "anchors",
    metadata,
    sa.Column("size", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, primary_key=True),  # "rfc3161" or "opentimestamps"
    sa.Column("authority", sa.Text, primary_key=True),  # the URL that was asked
    sa.Column("proof", sa.LargeBinary, nullable=False),
)

# --- views -----------------------------------------------------------------------------------------------------------

entities = sa.Table(
    "entities",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("namespace", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("entry", sa.Integer, nullable=False),
    sa.UniqueConstraint("namespace", "name"),
)
versions = sa.Table(
    "versions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("entity", sa.ForeignKey("entities.id"), nullable=False),
    # `algorithm:hex`; "" for "whatever the name held", since NULL = NULL is not true in SQL.
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("total_bytes", sa.BigInteger),
    sa.Column("rows", sa.BigInteger),
    sa.Column("entry", sa.Integer, nullable=False),
    sa.UniqueConstraint("entity", "digest"),
)
digests = sa.Table(
    "digests",
    metadata,
    sa.Column("version", sa.ForeignKey("versions.id"), primary_key=True),
    sa.Column("algorithm", sa.Text, primary_key=True),
    sa.Column("hex", sa.Text, nullable=False),
    sa.Column("entry", sa.Integer, nullable=False),
    sa.Index("digests_by_hex", "hex"),
)
runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("run_id", sa.Text, nullable=False, unique=True),
    sa.Column("job_namespace", sa.Text, nullable=False),
    sa.Column("job_name", sa.Text, nullable=False),
    sa.Column("parent_run_id", sa.Text),
    sa.Column("entry", sa.Integer, nullable=False),
)
run_events = sa.Table(
    "run_events",
    metadata,
    sa.Column("entry", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("run", sa.ForeignKey("runs.id"), nullable=False, index=True),
    sa.Column("event_type", sa.Text, nullable=False),
    sa.Column("event_time", sa.Text, nullable=False),
)
edges = sa.Table(
    "edges",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("run", sa.ForeignKey("runs.id"), nullable=False, index=True),
    sa.Column("version", sa.ForeignKey("versions.id"), nullable=False, index=True),
    sa.Column("relation", sa.Text, nullable=False),
    sa.Column("how", sa.Text, nullable=False),
    sa.Column("entry", sa.Integer, nullable=False, index=True),
    sa.Column("retracted", sa.Integer),
)
gaps = sa.Table(
    "gaps",
    metadata,
    sa.Column("entry", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("run_id", sa.Text, nullable=False, index=True),
)
sources = sa.Table(
    "sources",
    metadata,
    sa.Column("entry", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("version", sa.ForeignKey("versions.id"), nullable=False, index=True),
    sa.Column("retracted", sa.Integer),
)
producers = sa.Table(
    "producers",
    metadata,
    sa.Column("key_id", sa.Text, primary_key=True),
    sa.Column("verifier_key", sa.Text, nullable=False),
    sa.Column("entry", sa.Integer, nullable=False),
)
corrections = sa.Table(
    "corrections",
    metadata,
    sa.Column("entry", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("target", sa.Integer, nullable=False, index=True),
    sa.Column("action", sa.Text, nullable=False),
)

# In the order in which they can be filled; emptied in reverse.
VIEWS = (entities, versions, digests, runs, run_events, edges, gaps, sources, producers, corrections)
