"""`wherefrom.toml`: what the user wants captured, and how closely. Reference: docs/capture.md."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from re import Pattern
from typing import Any, Literal, NoReturn

from wherefrom.capture.patterns import compile_pattern, matches
from wherefrom.errors import FormatError, UnavailableError

FILE_NAME = "wherefrom.toml"
LEVELS = ("off", "files", "records", "subject-keys")
LOGGING = {"off": None, "DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
Level = Literal["off", "files", "records", "subject-keys"]


@dataclass(frozen=True)
class LevelRule:
    """How closely data at these paths is looked at.

    Attributes:
        keys: the keys to commit to, as `fingerprints.Key.parse` reads them; for "subject-keys" only.
        is_private: whether rows and keys are salted from the project's secret.
    """

    pattern: Pattern[str]
    level: Level
    keys: tuple[str, ...] = ()
    is_private: bool = False


@dataclass(frozen=True)
class SourceRule:
    """What is declared about data that was not made here; field names as in a `source` statement."""

    pattern: Pattern[str]
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Config:
    """Attributes are documented where users read them, in docs/capture.md; sizes in bytes.

    Attributes:
        server_url: of the server that takes the project's statements; None: its own archive does.
        send_for_s: how long a recorder goes on sending to the server once the program has ended.
        log_level: lowest number of a kept log record; None keeps none.
        levels: the first that matches decides; none means "records".
    """

    namespace: str | None = None
    server_url: str | None = None
    send_for_s: float = 60.0
    include: tuple[Pattern[str], ...] = ()
    exclude: tuple[Pattern[str], ...] = ()
    log_level: int | None = 20
    log_max_records: int = 1_000
    records_max_bytes: int = 256 * 1024**2
    fit_max_bytes: int = 256 * 1024**2
    levels: tuple[LevelRule, ...] = ()
    sources: tuple[SourceRule, ...] = field(default=())

    def level_of(self, *names: str) -> LevelRule:
        """The rule for a path, given relative to the project and absolute."""
        return next((rule for rule in self.levels if matches([rule.pattern], *names)), _DEFAULT_RULE)

    def source_of(self, *names: str) -> Mapping[str, str] | None:
        return next((rule.fields for rule in self.sources if matches([rule.pattern], *names)), None)


_DEFAULT_RULE = LevelRule(compile_pattern("**"), "records")


def nothing() -> Config:
    """What to do when the file is wrong: look at no data, rather than at data that it may have excluded."""
    return Config(log_level=None, levels=(LevelRule(compile_pattern("**"), "off"),), fit_max_bytes=0)


def read_config(root: str | Path) -> Config:
    """Read `wherefrom.toml` in the project folder; the defaults when there is none.

    Raises FormatError, naming file and key, for anything unknown or of the wrong type; UnavailableError when the file
    can't be read.
    """
    path = Path(root) / FILE_NAME
    try:
        text = path.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return Config()
    except (OSError, UnicodeDecodeError) as error:
        raise UnavailableError(f"can't read '{path}': {error}") from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FormatError(f"{path}: {error}") from error
    return _Reader(path).config(document)


_SOURCE_KEYS = {
    "origin": "origin",
    "licence": "licence",
    "acquired_by": "acquiredBy",
    "acquired_how": "acquiredHow",
    "acquired_at": "acquiredAt",
    "purpose": "originalPurpose",
}


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path

    def config(self, document: dict[str, Any]) -> Config:
        tables = self._only(document, "", "project", "capture", "source", "server")
        project = self._only(self._table(tables, "project"), "project.", "namespace")
        server = self._only(self._table(tables, "server"), "server.", "url", "send_for_s")
        names = ("include", "exclude", "logging", "log_max_records", "records_max_bytes", "fit_max_bytes", "level")
        capture = self._only(self._table(tables, "capture"), "capture.", *names)
        numbers = {
            key: self._number(capture[key], f"capture.{key}")
            for key in ("log_max_records", "records_max_bytes", "fit_max_bytes")
            if key in capture
        }
        logging = self._choice(capture.get("logging", "INFO"), "capture.logging", tuple(LOGGING))
        return Config(
            namespace=self._text(project["namespace"], "project.namespace") if "namespace" in project else None,
            server_url=self._text(server["url"], "server.url") if "url" in server else None,
            send_for_s=self._number(server["send_for_s"], "server.send_for_s") if "send_for_s" in server else 60,
            include=tuple(map(compile_pattern, self._texts(capture.get("include", []), "capture.include"))),
            exclude=tuple(map(compile_pattern, self._texts(capture.get("exclude", []), "capture.exclude"))),
            log_level=LOGGING[logging],
            levels=tuple(self._level(rule, at) for rule, at in self._tables(capture, "capture.", "level")),
            sources=tuple(self._source(rule, at) for rule, at in self._tables(tables, "", "source")),
            **numbers,
        )

    def _level(self, rule: dict[str, Any], at: str) -> LevelRule:
        self._only(rule, f"{at}.", "path", "level", "keys", "private")
        level = self._choice(self._needed(rule, at, "level"), f"{at}.level", LEVELS)
        keys = tuple(self._texts(rule.get("keys", []), f"{at}.keys"))
        if (level == "subject-keys") != bool(keys):
            self._fail(f"{at}.keys", "names the key columns of the level 'subject-keys', and goes with no other level")
        is_private = rule.get("private", False)
        if not isinstance(is_private, bool) or (is_private and level not in ("records", "subject-keys")):
            self._fail(f"{at}.private", "is true or false, and goes with the levels 'records' and 'subject-keys'")
        return LevelRule(self._pattern(rule, at), level, keys, is_private)  # type: ignore[arg-type]  # _choice has checked it

    def _source(self, rule: dict[str, Any], at: str) -> SourceRule:
        self._only(rule, f"{at}.", "path", *_SOURCE_KEYS)
        fields = {
            name: self._instant(rule[key], f"{at}.{key}")
            if key == "acquired_at"
            else self._text(rule[key], f"{at}.{key}")
            for key, name in _SOURCE_KEYS.items()
            if key in rule
        }
        if not fields:
            self._fail(at, f"says nothing about the source, expected one of {', '.join(_SOURCE_KEYS)}")
        return SourceRule(self._pattern(rule, at), fields)

    def _pattern(self, rule: dict[str, Any], at: str) -> Pattern[str]:
        return compile_pattern(self._text(self._needed(rule, at, "path"), f"{at}.path"))

    def _needed(self, table: dict[str, Any], at: str, key: str) -> Any:
        if key not in table:
            self._fail(f"{at}.{key}", "is missing")
        return table[key]

    def _only(self, table: dict[str, Any], at: str, *known: str) -> dict[str, Any]:
        for key in table:
            if key not in known:
                self._fail(f"{at}{key}", f"is unknown; known: {', '.join(known)}")
        return table

    def _table(self, parent: dict[str, Any], key: str) -> dict[str, Any]:
        value = parent.get(key, {})
        if not isinstance(value, dict):
            self._fail(key, f"is {value!r}, expected a table")
        return dict(value)

    def _tables(self, parent: dict[str, Any], at: str, key: str) -> list[tuple[dict[str, Any], str]]:
        value = parent.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self._fail(f"{at}{key}", f"expected tables, written as [[{at}{key}]]")
        return [(item, f"{at}{key}[{number}]") for number, item in enumerate(value)]

    def _texts(self, value: Any, at: str) -> list[str]:
        if not isinstance(value, list):
            self._fail(at, f"is {value!r}, expected a list of texts")
        return [self._text(item, f"{at}[{number}]") for number, item in enumerate(value)]

    def _text(self, value: Any, at: str) -> str:
        if not isinstance(value, str) or not value:
            self._fail(at, f"is {value!r}, expected a text")
        return str(value)

    def _number(self, value: Any, at: str) -> int:
        if type(value) is not int or value < 0:
            self._fail(at, f"is {value!r}, expected a whole number, 0 or more")
        return int(value)

    def _choice(self, value: Any, at: str, known: tuple[str, ...]) -> str:
        if value not in known:
            self._fail(at, f"is {value!r}, expected one of {', '.join(known)}")
        return str(value)

    def _instant(self, value: Any, at: str) -> str:
        if not isinstance(value, datetime) or value.tzinfo is None:
            self._fail(at, f"is {value!r}, expected a time with a zone such as 2026-11-21T08:15:00Z, without quotes")
        return value.isoformat()

    def _fail(self, at: str, what: str) -> NoReturn:
        raise FormatError(f"{self._path}: {at} {what}", hint="docs/capture.md lists what the file may hold")
