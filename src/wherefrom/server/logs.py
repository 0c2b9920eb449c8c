"""The server's log: one JSON object a line, on stderr, each with the request's id. No text of others ends a line."""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
import time
from typing import Any, Final

LOGGER: Final = logging.getLogger("wherefrom.server")
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
MAX_LOGGED_CHARACTERS: Final = 1000


class JsonLines(logging.Formatter):
    """`time` (UTC), `level`, `event`, and what the call gave as `extra={"fields": {…}}`."""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        line: dict[str, Any] = {"time": at, "level": record.levelname.lower(), "event": record.getMessage()}
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        # ASCII only: newlines, escapes of a terminal and directions of text are all written as \\u….
        return json.dumps({key: _shortened(value) for key, value in line.items()}, default=str)


def _shortened(value: Any) -> Any:
    return value[:MAX_LOGGED_CHARACTERS] + "…" if isinstance(value, str) and len(value) > 20_000 else value


def configure_logs(level: int = logging.INFO) -> None:
    """Have this process's log, and that of the HTTP server below, written so."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("wherefrom.server", "uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(level if name == "wherefrom.server" else logging.WARNING)


def log(event: str, *, level: int = logging.INFO, error: BaseException | None = None, **fields: Any) -> None:
    if LOGGER.isEnabledFor(level):
        # Made by hand: `LOGGER.log` would look up who called, which takes as long as all the rest.
        cause = (type(error), error, error.__traceback__) if error else None
        LOGGER.handle(LOGGER.makeRecord(LOGGER.name, level, "", 0, event, (), cause, extra={"fields": fields}))


def request_id_of(given: str | None) -> str:
    """The sender's id for its request when that is a plain word, else a new one."""
    return given if given and _SANE_ID.fullmatch(given) else secrets.token_hex(8)
