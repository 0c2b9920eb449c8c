"""The ledger's tables and the first views."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "anchors",
        sa.Column("size", NUMBER, autoincrement=False, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("authority", TEXT, nullable=False),
        sa.Column("proof", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("size", "kind", "authority"),
    )
    op.create_table(
        "archive",
        sa.Column("key", TEXT, nullable=False),
        sa.Column("value", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "checkpoints",
        sa.Column("size", NUMBER, autoincrement=False, nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("size"),
    )
    op.create_table(
        "corrections",
        sa.Column("entry", NUMBER, autoincrement=False, nullable=False),
        sa.Column("target", NUMBER, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("entry"),
    )
    op.create_index(op.f("ix_corrections_target"), "corrections", ["target"], unique=False)
    op.create_table(
        "cosignatures",
        sa.Column("size", NUMBER, autoincrement=False, nullable=False),
        sa.Column("witness", TEXT, nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("size", "witness"),
    )
    op.create_table(
        "entities",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("namespace", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("entry", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("entities_by_name", "entities", ["name"], unique=False, postgresql_using="hash")
    op.create_table(
        "entries",
        sa.Column("idx", NUMBER, autoincrement=False, nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.Column("dedup", sa.LargeBinary(), nullable=True),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("received", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("idx"),
    )
    op.create_table(
        "hash_index",
        sa.Column("level", NUMBER, nullable=False),
        sa.Column("key", NUMBER, nullable=False),
        sa.Column("idx", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("level", "key", "idx"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "erasures",
        sa.Column("entry", NUMBER, autoincrement=False, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("target", NUMBER, nullable=True),
        sa.PrimaryKeyConstraint("entry"),
    )
    op.create_index(op.f("ix_erasures_kind"), "erasures", ["kind"], unique=False)
    op.create_index(op.f("ix_erasures_target"), "erasures", ["target"], unique=False)
    op.create_table(
        "gaps",
        sa.Column("entry", NUMBER, autoincrement=False, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("entry"),
    )
    op.create_index("gaps_by_run", "gaps", ["run_id"], unique=False, postgresql_using="hash")
    op.create_table(
        "keys",
        sa.Column("entry", NUMBER, autoincrement=False, nullable=False),
        sa.Column("key_id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("entry"),
    )
    op.create_table(
        "runs",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("job_namespace", TEXT, nullable=False),
        sa.Column("job_name", TEXT, nullable=False),
        sa.Column("parent_run_id", TEXT, nullable=True),
        sa.Column("entry", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("run_id"),
    )
    op.create_table(
        "tiles",
        sa.Column("level", NUMBER, nullable=False),
        sa.Column("idx", NUMBER, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "idx"),
    )
    if op.get_bind().dialect.name == "postgresql":  # hashes can't be compressed, and it would try each time
        op.execute("ALTER TABLE tiles ALTER COLUMN data SET STORAGE EXTERNAL")
    op.create_table(
        "payloads",
        sa.Column("idx", NUMBER, autoincrement=False, nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("idx"),
    )
    op.create_table(
        "run_events",
        sa.Column("entry", NUMBER, autoincrement=False, nullable=False),
        sa.Column("run", NUMBER, nullable=False),
        sa.Column("event_type", TEXT, nullable=False),
        sa.Column("event_time", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("entry"),
    )
    op.create_index(op.f("ix_run_events_run"), "run_events", ["run"], unique=False)
    op.create_table(
        "versions",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("entity", NUMBER, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("total_bytes", NUMBER, nullable=True),
        sa.Column("rows", NUMBER, nullable=True),
        sa.Column("entry", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("entity", "digest"),
    )
    op.create_table(
        "digests",
        sa.Column("version", NUMBER, nullable=False),
        sa.Column("algorithm", TEXT, nullable=False),
        sa.Column("hex", TEXT, nullable=False),
        sa.Column("entry", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("version", "algorithm"),
    )
    op.create_index("digests_by_hex", "digests", ["hex"], unique=False)
    op.create_table(
        "edges",
        sa.Column("id", NUMBER, autoincrement=False, nullable=False),
        sa.Column("run", NUMBER, nullable=False),
        sa.Column("version", NUMBER, nullable=False),
        sa.Column("relation", TEXT, nullable=False),
        sa.Column("how", TEXT, nullable=False),
        sa.Column("entry", NUMBER, nullable=False),
        sa.Column("retracted", NUMBER, nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_edges_entry"), "edges", ["entry"], unique=False)
    op.create_index(op.f("ix_edges_run"), "edges", ["run"], unique=False)
    op.create_index(op.f("ix_edges_version"), "edges", ["version"], unique=False)
    op.create_table(
        "sources",
        sa.Column("entry", NUMBER, autoincrement=False, nullable=False),
        sa.Column("version", NUMBER, nullable=False),
        sa.Column("retracted", NUMBER, nullable=True),
        sa.PrimaryKeyConstraint("entry"),
    )
    op.create_index(op.f("ix_sources_version"), "sources", ["version"], unique=False)
    if op.get_context().dialect.name == "postgresql":
        # Envelopes of 2 to 8 KB lie in the row, not in a table of their own beside it: half the work for the server.
        op.execute("ALTER TABLE payloads SET (toast_tuple_target = 8160)")
