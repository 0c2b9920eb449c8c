"""What changes on a server, as it changes: server-sent events, taken up again where they broke off.

Source of the format: WHATWG HTML, section 9.2 "Server-sent events".
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from wherefrom import fetch
from wherefrom.client.connection import Connection, Params, ServerBusyError, error_of
from wherefrom.errors import Denied, FormatError, UnavailableError

_SILENCE_S = 60.0
_LONGEST_PAUSE_S = 15.0
_MAX_LINE_BYTES = 4 << 20
_OF_THE_STREAM = {"", "hello", "goodbye"}


@dataclass(frozen=True)
class LiveEvent:
    """`id` takes the stream up again behind this event; `name` is its type, "message" for none; `data` is its JSON.

    Attributes:
        name: "" when the server only says how far it has come, without an event that is for us.
    """

    id: str
    name: str
    data: Any


def follow(
    connection: Connection,
    path: str,
    params: Params | None = None,
    *,
    after: str | None = None,
    silence_s: float = _SILENCE_S,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[LiveEvent]:
    """Events without end, each once, in order; not those that are about the stream itself.

    Args:
        after: id of the last event that was seen; None: from now on.
        silence_s: without a word for so long, the connection counts as broken.

    A connection that breaks, and a server that is away, are tried again for ever; whoever has enough stops asking.
    Raises what else the server answers, such as `Denied`.
    """
    failures = 0
    while True:
        pause = None
        try:
            for event in _connect(connection, path, params, after=after, silence_s=silence_s):
                failures, after = 0, event.id or after
                if event.name == "denied":
                    raise Denied(str(event.data.get("reason", "the token counts no more")))
                if event.name not in _OF_THE_STREAM:
                    yield event
        except UnavailableError as error:
            if not isinstance(error, ServerBusyError):
                raise
            pause = error.retry_after_s
        failures += 1
        longest = min(_LONGEST_PAUSE_S, 0.25 * 2**failures)
        sleep(random.uniform(longest / 2, longest) if pause is None else pause)  # noqa: S311 - spreads load


def _connect(
    connection: Connection, path: str, params: Params | None, *, after: str | None, silence_s: float
) -> Iterator[LiveEvent]:
    headers = connection.headers | {"Accept": "text/event-stream"} | ({"Last-Event-ID": after} if after else {})
    try:
        with fetch.stream(connection.locate(path, params), headers=headers, timeout_s=silence_s) as (reply, parts):
            if reply.status != 200:
                raise error_of(reply, where=f"GET {connection.url}{path}")
            yield from parse_events(parts, last_id=after or "")
    except ServerBusyError:
        raise
    except UnavailableError as error:
        if error.__cause__ is None:  # what the server answered, not a connection that broke
            raise
        raise ServerBusyError(str(error), hint=error.hint) from error


def parse_events(parts: Iterable[bytes], *, last_id: str = "") -> Iterator[LiveEvent]:
    """The events of a stream that is read from behind `last_id`. What is not whole when it ends is no event."""
    name, told = "", last_id
    data: list[str] = []
    for line in _lines(parts):
        if not line:
            if data:
                yield LiveEvent(last_id, name or "message", _parse("\n".join(data)))
            elif last_id != told:
                yield LiveEvent(last_id, "", None)
            name, data, told = "", [], last_id
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match field:
            case "data":
                data.append(value)
            case "event":
                name = value
            case "id" if "\0" not in value:
                last_id = value


def _lines(parts: Iterable[bytes]) -> Iterator[str]:
    r"""Lines that ended, by \n, \r\n or \r."""
    rest = b""
    for part in parts:
        rest += part
        # A \r at the end may be half of a \r\n.
        whole, held = (rest[:-1], rest[-1:]) if rest.endswith(b"\r") else (rest, b"")
        *lines, rest = whole.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        rest += held
        if len(rest) > _MAX_LINE_BYTES:
            raise FormatError(f"live events: a line has over {_MAX_LINE_BYTES} bytes")
        for line in lines:
            yield line.decode("utf-8", "replace")


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise FormatError(f"live event: its data is no JSON: {error}") from error
