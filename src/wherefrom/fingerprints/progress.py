"""How long work reports where it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int | None], None]
"""Called from the caller's thread with what is done and the total, both in bytes for files and in rows for records; the
total is None while nobody can know it.

What is done begins anew with each phase: rows are read and hashed, then, beginning with (0, total), sorted into their
tree. Each phase ends with a call in which both are equal, unless the total was not known.
"""
