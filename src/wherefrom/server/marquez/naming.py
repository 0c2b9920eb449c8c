"""Marquez's names for things: node ids, version ids, states and times, as its clients read them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from wherefrom.errors import FormatError
from wherefrom.statements import format_time

NodeKind = Literal["job", "dataset", "datasetField", "run"]
STATES = {"COMPLETE": "COMPLETED", "FAIL": "FAILED", "ABORT": "ABORTED", "START": "RUNNING", "RUNNING": "RUNNING"}
"""A run's state by the type of its event; NEW for every other."""

_IDS = uuid.uuid5(uuid.NAMESPACE_URL, "https://github.com/MarquezProject/marquez")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class NodeId:
    """`text` is what stands between the kind and the version: a namespace and names, with ":" in any of them."""

    kind: NodeKind
    text: str
    version: str

    def splits(self) -> Iterator[tuple[str, str]]:
        """Every namespace and name that the text can mean; the one that Marquez would take first.

        Marquez's own rule cuts at the colons that begin neither "//" nor a port, and so misreads some names.
        """
        parts = self.text.split(":")
        ways = [(":".join(parts[:at]), ":".join(parts[at:])) for at in range(1, len(parts))]
        ways.sort(key=lambda way: (_is_cut(way), len(way[0])))
        yield from (way for way in ways if way[0] and way[1])


def _is_cut(way: tuple[str, str]) -> bool:
    """Whether the cut goes through an address: `s3` and `//bucket`, or `postgres://host` and `5432:table`."""
    namespace, name = way
    port, _, rest = name.partition(":")
    return name.startswith("//") or ("://" in namespace and port.isdecimal() and bool(rest))


def parse_node_id(text: str) -> NodeId:
    """Read `dataset:NAMESPACE:NAME`, `job:…`, `datasetField:NAMESPACE:NAME:FIELD`, `run:ID`, with `#VERSION` or not.

    Raises FormatError.
    """
    kind, colon, rest = text.partition(":")
    if not colon or kind not in ("job", "dataset", "datasetField", "run"):
        raise FormatError(
            f"node id {text[:200]!r}: expected 'dataset:NAMESPACE:NAME', 'job:NAMESPACE:NAME', "
            "'datasetField:NAMESPACE:NAME:FIELD' or 'run:ID'"
        )
    body, hash_, version = rest.rpartition("#")
    if not hash_ or not is_uuid(version):
        body, version = rest, ""
    return NodeId(kind, body, version)  # type: ignore[arg-type]


def format_node_id(kind: NodeKind, namespace: str, *names: str) -> str:
    return ":".join((kind, namespace, *names))


def is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def stable_id(*parts: str | list[str]) -> str:
    """A UUID (version 5) that is the same for the same parts, here and everywhere."""
    return str(uuid.uuid5(_IDS, json.dumps(parts, ensure_ascii=False, separators=(",", ":"))))


def format_at(at: int) -> str:
    """An instant given in microseconds since 1970, in UTC."""
    try:
        moment = _EPOCH + timedelta(microseconds=at)
    except OverflowError:  # before the year 1 or after 9999
        moment = datetime.min.replace(tzinfo=UTC) if at < 0 else datetime.max.replace(tzinfo=UTC)
    return format_time(moment)


def to_microseconds(moment: datetime) -> int:
    """Microseconds since 1970; one without a zone is taken as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)
