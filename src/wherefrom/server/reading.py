"""Reading what a sender brings: events are parsed, checked and signed.

That is most of the work on an event, and needs neither the database nor the order of the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from wherefrom.archive.keyring import Keyring
from wherefrom.archive.taking import Taken, read_one
from wherefrom.errors import FormatError, WherefromError
from wherefrom.ledger import Signed, sign_statement
from wherefrom.server.array_items import read_array
from wherefrom.server.errors import too_large
from wherefrom.server.settings import Settings
from wherefrom.statements import Statement

WHAT: Final = "OpenLineage event"
BATCH: Final = "batch"
_NAMES: Final = ("namespace", "name")


class Written(NamedTuple):
    """An event that was read and signed, and the namespaces that it writes to, which the sender must be let into."""

    namespaces: list[str]
    signed: Signed


Read = Written | Taken  # an event, or why it is refused


class Brought(NamedTuple):
    """What a request brought: an event, or an array of them."""

    body: bytes
    is_batch: bool
    strict: bool


class Reader:
    """Safe for one thread."""

    def __init__(self, keys: Keyring, settings: Settings) -> None:
        self._keys, self._settings = keys, settings

    def read(self, brought: Brought) -> list[Read] | WherefromError:
        """What becomes of each event, in order; or why nothing of it was read.

        That is FormatError or RequestError: no array of events, too many; UnavailableError: the key that signs can't be
        used.
        """
        try:
            keys = self._keys.read_keys("producer")
            found = self._read_batch(brought) if brought.is_batch else [self._read_event(brought.body, brought.strict)]
            return [
                one if isinstance(one, Taken) else Written(namespaces_written(one.predicate), sign_statement(one, keys))
                for one in found
            ]
        except WherefromError as error:
            return error

    def _read_event(self, body: bytes, strict: bool) -> Statement | Taken:
        """Read an event; one that has a name beyond all measure is refused, however lenient."""
        read = read_one(body, strict=strict)
        if isinstance(read, Statement) and len(body) > self._settings.max_name_bytes:
            try:
                _check_names(read.predicate, self._settings.max_name_bytes)
            except FormatError as error:
                return Taken(None, (), error)
        return read

    def _read_batch(self, brought: Brought) -> list[Statement | Taken]:
        def read(item: bytes) -> Statement | Taken | FormatError:
            found = self._read_event(item, brought.strict)
            if isinstance(found, Taken) and found.error is not None and found.event is None:
                return found.error
            return found

        most = self._settings.max_batch
        try:
            items: list[Statement | Taken | FormatError] = read_array(brought.body, read, what=BATCH, most=most)
        except OverflowError as error:
            raise too_large(f"the batch has over {most} events") from error
        return [Taken(None, (), one) if isinstance(one, FormatError) else one for one in items]


def namespaces_written(event: Any) -> list[str]:
    """Where an event is written: the namespaces of its job, and of the data set that it is about.

    An event that says neither is written in the namespace "", which only who may write in all of them may.
    """
    owners = [event[key] for key in ("job", "dataset") if key in event] if isinstance(event, dict) else []
    found = [owner.get("namespace") if isinstance(owner, dict) else None for owner in owners]
    return [name if isinstance(name, str) else "" for name in found] or [""]


def _check_names(event: Any, most: int) -> None:
    """Raise FormatError, with the path, for a name or namespace of more than so many bytes."""
    for path, name in _iter_names(event):
        if len(name) > most // 4 and (size := len(name.encode("utf-8", "surrogatepass"))) > most:
            raise FormatError(f"{WHAT}: {path}: has {size} bytes, expected at most {most}")


def _iter_names(event: Any) -> Iterator[tuple[str, str]]:
    rest: list[tuple[str, Any]] = [("$", event)]
    while rest:
        path, value = rest.pop()
        if isinstance(value, dict):
            for key, inner in value.items():
                if isinstance(inner, str):
                    if key in _NAMES:
                        yield f"{path}.{key}", inner
                elif isinstance(inner, dict | list):
                    rest.append((f"{path}.{key[:100]}", inner))
        elif isinstance(value, list):
            rest += [(f"{path}[{i}]", inner) for i, inner in enumerate(value) if isinstance(inner, dict | list)]
