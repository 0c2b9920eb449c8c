"""Text cut to a length that a record can bear."""

from __future__ import annotations

MAX_CHARACTERS = 2_000


def cut(text: str, limit: int = MAX_CHARACTERS) -> str:
    """Long text, its middle left out."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]} […{len(text) - 2 * half} characters…] {text[-half:]}"
