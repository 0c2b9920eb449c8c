"""What a database system must do for us. `sqlite.py` and `postgresql.py` each do it; all other SQL is for both."""

from __future__ import annotations

import contextlib
from typing import Protocol

import sqlalchemy as sa

from wherefrom.errors import WherefromError

# How long a writer waits for another one before it gives up.
WRITER_WAIT_S = 60


class Backend(Protocol):
    """One database, as its system opens it.

    Attributes:
        name: says in messages which database it is; never with a password.
        engine: its connections are in the driver's autocommit mode: transactions begin where we say so.
    """

    name: str
    engine: sa.Engine

    def require(self) -> None:
        """Raise NotFoundError when it can be seen, without connecting, that there is no such database."""

    def creating(self) -> contextlib.AbstractContextManager[Backend]:
        """Give where a new database is to be made; it is there for others when the block ends, whole or not at all.

        Raises ConflictError when there is one already.
        """

    def prepare(self, connection: sa.Connection) -> None:
        """Make what tables need to exist, in the transaction that makes the tables."""

    def begin_reading(self, connection: sa.Connection) -> None:
        """Begin a transaction that sees one snapshot and writes nothing."""

    def end_reading(self, connection: sa.Connection) -> None:
        """End it, if there is a cheaper way than to roll back."""

    def begin_writing(self, connection: sa.Connection) -> None:
        """Begin a transaction that no other of `begin_writing` overlaps, and whose commit is durable."""

    def begin_outside(self, connection: sa.Connection) -> None:
        """Make the tables known to a session on which each statement will stand alone."""

    def is_writing(self, connection: sa.Connection) -> bool:
        """Whether that transaction still stands; after some errors it is gone, and a commit would say nothing."""

    def check(self, connection: sa.Connection) -> list[str]:
        """What the system itself finds wrong with the database; empty when nothing."""

    def translate(self, error: Exception, *, committing: bool = False) -> WherefromError | None:
        """Our error for one of the driver's, or of SQLAlchemy around it; None for any other."""
