"""What the server is told: limits, and who may ask. Each setting is an environment variable, `WHEREFROM_SERVER_<NAME>`.

What the command line says goes before the environment, and that before the default here. docs/server.md has the table;
a test compares it with these fields.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wherefrom.errors import FormatError

PREFIX: Final = "WHEREFROM_SERVER_"
MIB: Final = 1 << 20
Count = int
"""A number that may be 0, which the others may not."""


@dataclass(frozen=True)
class Settings:
    """All bounds but counts of processes are above zero; times are in seconds.

    Attributes:
        strict: refuse events that break OpenLineage's specification, instead of keeping and marking them.
        policies: a folder with Cedar policies of the organisation's own.
        public_url: where browsers reach this server, when a proxy stands before it.
        oidc_issuer, oidc_client_id: the OpenID Connect provider where people log in, and what it knows this server as.
        oidc_secret_file: what it knows it by; without, it is a public client.
        oidc_user_claim, oidc_groups_claim: name the person, and their groups, in the provider's tokens.
        oidc_audience: the provider's tokens for this audience are taken as Bearer tokens; by default, none are.
        readers: processes that read and sign events; with 0 or None, a thread of the server does.
        max_body_bytes: of a request as it comes.
        max_unpacked_bytes, max_ratio: of a body that comes compressed, and how many times larger it may become.
        max_batch: events in one request.
        max_name_bytes: of a namespace or name in an event.
        max_url_bytes, max_header_bytes: of a request's target, and of all its header fields.
        max_requests: that are answered at once; more get 503.
        max_listeners: of `/v1/live`, which are not counted among the requests.
        max_waiting_events, max_waiting_bytes: that wait to be recorded; while there are more, senders get 503.
        header_deadline_s, body_deadline_s: for a request's head, and for its body, to come in whole.
        send_deadline_s: for a client to take what it is sent.
        keep_alive_s: that a connection may lie idle between requests.
        grace_s: that requests under way have to finish when the server is told to stop.
        cors_origins: web pages of these origins may ask; none by default.
        live_poll_s: how often the database is asked for new entries while anybody listens.
        live_heartbeat_s: of silence on `/v1/live`, after which a comment is sent.
        live_backlog: entries that a listener may fall behind before it is sent away, to come again.
    """

    strict: bool = False
    policies: Path | None = None
    public_url: str | None = None
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_secret_file: Path | None = None
    oidc_user_claim: str = "email"
    oidc_groups_claim: str = "groups"
    oidc_audience: str | None = None
    readers: Count | None = None
    max_body_bytes: int = 10 * MIB
    max_unpacked_bytes: int = 50 * MIB
    max_ratio: int = 200
    max_batch: int = 1000
    max_name_bytes: int = 65536
    max_url_bytes: int = 16384
    max_header_bytes: int = 65536
    max_requests: int = 512
    max_listeners: int = 256
    max_waiting_events: int = 20_000
    max_waiting_bytes: int = 128 * MIB
    header_deadline_s: float = 10.0
    body_deadline_s: float = 60.0
    send_deadline_s: float = 60.0
    keep_alive_s: int = 65
    grace_s: int = 30
    cors_origins: tuple[str, ...] = ()
    live_poll_s: float = 0.2
    live_heartbeat_s: float = 15.0
    live_backlog: int = 10_000


def read_settings(environment: Mapping[str, str], **given: Any) -> Settings:
    """Settings from the environment; what is `given` and not None goes before it.

    Raises FormatError for a variable that begins with the prefix and names no setting, or has no such value.
    """
    fields = {field.name: field for field in dataclasses.fields(Settings)}
    values: dict[str, Any] = {}
    for variable, text in environment.items():
        if not variable.startswith(PREFIX):
            continue
        name = variable.removeprefix(PREFIX).lower()
        if name not in fields:
            known = ", ".join(f"{PREFIX}{field.upper()}" for field in fields)
            raise FormatError(f"environment variable {variable}: no such setting; known: {known}")
        values[name] = _parse(variable, text, str(fields[name].type))
    return Settings(**values | {name: value for name, value in given.items() if value is not None})


def _parse(variable: str, text: str, kind: str) -> Any:
    try:
        match kind:
            case "bool":
                return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
            case "int" | "float" | "Count | None":
                value = float(text) if kind == "float" else int(text)
                if not (0 < value < 2**53 or (kind == "Count | None" and value == 0)):
                    raise ValueError
                return value
            case "tuple[str, ...]":
                return tuple(part for part in text.replace(",", " ").split() if part)
            case "Path | None":
                return Path(text) if text else None
            case _:
                return text or None
    except (ValueError, KeyError) as error:
        expected = {"bool": "true or false", "int": "a whole number above 0", "float": "a number above 0"}.get(
            kind, "a whole number, 0 or above"
        )
        raise FormatError(f"environment variable {variable} is {text!r}, expected {expected}") from error
