"""Jobs, events with the shape of their lineage, aliases, versions as others name them, deletions, marks, access.

All of these are views: what they hold is made from the ledger again when the archive is opened.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _number(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, NUMBER, autoincrement=False, nullable=nullable)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, TEXT, nullable=False)


def upgrade() -> None:
    op.drop_table("run_events")
    op.drop_table("runs")
    op.create_table(
        "runs",
        _number("id"),
        _text("run_id"),
        _number("job"),
        sa.Column("parent_run_id", TEXT, nullable=True),
        _number("entry"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("run_id"),
    )
    has_parent = sa.text("parent_run_id IS NOT NULL")
    op.create_index(
        "runs_by_parent",
        "runs",
        ["parent_run_id"],
        unique=False,
        sqlite_where=has_parent,
        postgresql_where=has_parent,
        postgresql_using="hash",
    )
    op.create_table(
        "jobs", _number("id"), _text("namespace"), _text("name"), _number("entry"), sa.PrimaryKeyConstraint("id")
    )
    op.create_index("jobs_by_name", "jobs", ["name"], unique=False, postgresql_using="hash")
    op.create_table(
        "events",
        _number("entry"),
        _number("run"),
        _number("job"),
        _number("dataset"),
        _text("event_type"),
        _text("event_time"),
        _number("at"),
        _number("shape"),
        sa.PrimaryKeyConstraint("entry"),
    )
    op.create_index(op.f("ix_events_run"), "events", ["run"], unique=False)
    op.create_table(
        "shapes",
        _number("id"),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        _text("body"),
        _number("entry"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_table(
        "aliases",
        _number("id"),
        _number("entity"),
        _number("canonical"),
        _text("reason"),
        _number("entry"),
        _number("retracted", nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_aliases_entity"), "aliases", ["entity"], unique=False)
    op.create_index(op.f("ix_aliases_canonical"), "aliases", ["canonical"], unique=False)
    op.create_table(
        "named_versions",
        _number("id"),
        _number("entity"),
        _text("version"),
        _number("entry"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("named_versions_by_entity", "named_versions", ["entity", "version"], unique=False)
    op.create_table(
        "named_version_edges",
        _number("id"),
        _number("run"),
        _number("version"),
        _text("relation"),
        _number("entry"),
        _number("retracted", nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_named_version_edges_run"), "named_version_edges", ["run"], unique=False)
    op.create_index(op.f("ix_named_version_edges_version"), "named_version_edges", ["version"], unique=False)
    op.create_table(
        "deletions",
        _number("entry"),
        _number("dataset"),
        _number("job"),
        _number("at"),
        _number("retracted", nullable=True),
        sa.PrimaryKeyConstraint("entry", "dataset", "job"),
    )
    op.create_table(
        "marks",
        _number("entry"),
        _number("position"),
        _text("path"),
        _text("message"),
        sa.PrimaryKeyConstraint("entry", "position"),
    )
    op.create_table("access", _number("entry"), _text("kind"), sa.PrimaryKeyConstraint("entry"))
    op.drop_index("ix_edges_version", table_name="edges")
    op.create_index("edges_by_version", "edges", ["version", "entry"], unique=False)
    op.drop_index("ix_edges_entry", table_name="edges")
    op.create_index("edges_by_entry", "edges", ["entry"], unique=False, postgresql_using="brin")
