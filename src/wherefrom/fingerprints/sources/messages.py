"""What other libraries say, as part of our own messages."""

from __future__ import annotations


def first_line(error: BaseException) -> str:
    """The first line of an error's text: what follows is advice, a stack or a query."""
    return str(error).strip().partition("\n")[0]
