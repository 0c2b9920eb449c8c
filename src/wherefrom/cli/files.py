"""Files that the user names: read, or written whole, with an error that names them."""

from __future__ import annotations

from pathlib import Path

from wherefrom.errors import NotFoundError, UnavailableError
from wherefrom.notes import TrustPolicy, parse_policy


def read_file(path: Path, *, most: int | None = None) -> bytes:
    """All of it, or the first `most` bytes. Raises NotFoundError, UnavailableError."""
    try:
        with path.open("rb") as file:
            return file.read(-1 if most is None else most)
    except FileNotFoundError as error:
        raise NotFoundError(f"no file {path}") from error
    except OSError as error:
        raise UnavailableError(f"cannot read {path}: {error.strerror}") from error


def read_policy(path: Path) -> TrustPolicy:
    """The ledgers and witnesses that a user trusts. Raises FormatError besides."""
    return parse_policy(read_file(path))


def write_whole(path: Path, content: bytes) -> None:
    """All of it or nothing: a file half written would be taken for evidence that is false."""
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_bytes(content)
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise UnavailableError(f"cannot write {path}: {error.strerror}") from error
