"""How long work reports where it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int | None], None]
"""Called from the caller's thread with what is done and the total, both in bytes for files and in rows for records;
the total is None while nobody can know it."""
