"""What is known of one run: its facets as plain values. Source: docs/spec/openlineage-facets.md."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from wherefrom.evidence.facts.reading import flag_at, integer_at, list_at, mapping_at, pairs_of, text_at, text_of
from wherefrom.evidence.facts.words import milliseconds_between
from wherefrom.lineage import Run

Pairs = tuple[tuple[str, str], ...]

# Facets with a place of their own; any other is passed on as JSON, so that nothing recorded is left out.
_READ_RUN_FACETS = {
    "executionParameters",
    "errorMessage",
    "parent",
    "processing_engine",
    "wherefrom_end",
    "wherefrom_environment",
    "wherefrom_fits",
    "wherefrom_logs",
    "wherefrom_metrics",
}
_READ_JOB_FACETS = {"jobType", "sourceCodeLocation"}


@dataclass(frozen=True)
class Code:
    """Where the code lies; "" for what is not known. `is_dirty`: the tree differed from the commit; None: not known."""

    path: str
    sha256: str
    commit: str
    branch: str
    repository: str
    is_dirty: bool | None
    diff_sha256: str


@dataclass(frozen=True)
class FittedOn:
    argument: str
    digests: Pairs
    rows: int | None
    columns: int | None


@dataclass(frozen=True)
class Fit:
    """One call of an estimator's `fit`. `expression` is how the estimator prints itself, "" when that is not known."""

    estimator: str
    expression: str
    parameters: Pairs
    fitted_on: tuple[FittedOn, ...]
    at: str

    @property
    def class_name(self) -> str:
        return self.estimator.rsplit(".", 1)[-1]


@dataclass(frozen=True)
class Metric:
    """The last value logged under a name, and every value in order as (step, value, at)."""

    name: str
    value: str
    history: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class LogRecord:
    at: str
    level: str
    logger: str
    message: str


@dataclass(frozen=True)
class RunFacts:
    """What a run's facets say; empty text and None stand for what they do not.

    Attributes:
        lost_logs: log records that were not kept.
        error: type and message of the exception that ended the run; `stack_trace` is its text.
        others: facets that have no place above, as (name, indented JSON).
    """

    code: Code
    argv: tuple[str, ...]
    engine: str
    packages: Pairs
    host: str
    user: str
    working_directory: str
    seeds: Pairs
    parameters: Pairs
    fits: tuple[Fit, ...]
    metrics: tuple[Metric, ...]
    logs: tuple[LogRecord, ...]
    lost_logs: int
    duration_ms: int | None
    exit_code: int | None
    end_reason: str
    error: str
    stack_trace: str
    others: Pairs


def read_run(run: Run) -> RunFacts:
    environment = mapping_at(run.facets, "wherefrom_environment")
    end = mapping_at(run.facets, "wherefrom_end")
    logs = mapping_at(run.facets, "wherefrom_logs")
    duration_ms = integer_at(end, "durationMs")
    return RunFacts(
        code=_code(run),
        argv=tuple(text_of(argument) for argument in list_at(environment, "argv")),
        engine=_engine(run),
        packages=pairs_of(mapping_at(environment, "packages")),
        host=_host(environment),
        user=text_at(environment, "user"),
        working_directory=text_at(environment, "workingDirectory"),
        seeds=pairs_of(mapping_at(environment, "seeds")),
        parameters=_parameters(run),
        fits=tuple(_fit(item) for item in list_at(run.facets, "wherefrom_fits", "fits")),
        metrics=_metrics(run),
        logs=tuple(_log_record(item) for item in list_at(logs, "records")),
        lost_logs=integer_at(logs, "dropped") or 0,
        duration_ms=milliseconds_between(run.started_at, run.ended_at) if duration_ms is None else duration_ms,
        exit_code=integer_at(end, "exitCode"),
        end_reason=text_at(end, "reason"),
        error=text_at(run.facets, "errorMessage", "message"),
        stack_trace=text_at(run.facets, "errorMessage", "stackTrace"),
        others=_others(run),
    )


def _code(run: Run) -> Code:
    """Our own facet first; OpenLineage's source code location where another tool spoke."""
    environment = mapping_at(run.facets, "wherefrom_environment")
    git, script = mapping_at(environment, "git"), mapping_at(environment, "script")
    location = mapping_at(run.job_facets, "sourceCodeLocation")
    return Code(
        path=text_at(script, "path") or text_at(location, "path"),
        sha256=text_at(script, "sha256"),
        commit=text_at(git, "commit") or text_at(location, "version"),
        branch=text_at(git, "branch") or text_at(location, "branch"),
        repository=text_at(git, "repository") or text_at(location, "repoUrl") or text_at(location, "url"),
        is_dirty=flag_at(git, "isDirty"),
        diff_sha256=text_at(git, "diffSha256"),
    )


def _engine(run: Run) -> str:
    """`Python 3.11.9`, or the engine that the event names."""
    python = mapping_at(run.facets, "wherefrom_environment", "python")
    if version := text_at(python, "version"):
        implementation = text_at(python, "implementation")
        return f"Python {version}" + (
            f" ({implementation})" if implementation.casefold() not in {"", "cpython"} else ""
        )
    engine = mapping_at(run.facets, "processing_engine")
    return " ".join(part for part in (text_at(engine, "name"), text_at(engine, "version")) if part)


def _host(environment: Any) -> str:
    host = mapping_at(environment, "host")
    parts = [text_at(host, key) for key in ("name", "system", "machine")]
    if cpus := integer_at(host, "cpus"):
        parts.append(f"{cpus} CPUs")
    return ", ".join(part for part in parts if part)


def _parameters(run: Run) -> Pairs:
    found = {}
    for item in list_at(run.facets, "executionParameters", "parameters"):
        if key := text_at(item, "key"):
            found[key] = text_of(mapping_at(item).get("value", ""))
    return tuple(sorted(found.items()))


def _fit(item: Any) -> Fit:
    fitted_on = tuple(
        FittedOn(
            argument=text_at(data, "argument"),
            digests=pairs_of(mapping_at(data, "digests")),
            rows=integer_at(data, "rows"),
            columns=_count_of_columns(data),
        )
        for data in list_at(item, "fittedOn")
    )
    parameters = pairs_of(mapping_at(item, "parameters"))
    return Fit(
        estimator=text_at(item, "estimator") or "unknown estimator",
        expression=text_at(item, "expression"),
        parameters=parameters,
        fitted_on=fitted_on,
        at=text_at(item, "at"),
    )


def _count_of_columns(data: Any) -> int | None:
    """`columns` is a number, or the list of their names."""
    names = list_at(data, "columns")
    return len(names) if names else integer_at(data, "columns")


def _metrics(run: Run) -> tuple[Metric, ...]:
    logged: dict[str, list[tuple[str, str, str]]] = {}
    for item in list_at(run.facets, "wherefrom_metrics", "metrics"):
        fields = mapping_at(item)
        if name := text_at(fields, "name"):
            step = fields.get("step")
            logged.setdefault(name, []).append(
                ("" if step is None else text_of(step), text_of(fields.get("value")), text_at(fields, "at"))
            )
    return tuple(Metric(name, history[-1][1], tuple(history)) for name, history in sorted(logged.items()))


def _log_record(item: Any) -> LogRecord:
    return LogRecord(text_at(item, "at"), text_at(item, "level"), text_at(item, "logger"), text_at(item, "message"))


def _others(run: Run) -> Pairs:
    facets = {name: run.facets[name] for name in run.facets.keys() - _READ_RUN_FACETS}
    facets |= {f"{name} (job)": run.job_facets[name] for name in run.job_facets.keys() - _READ_JOB_FACETS}
    return tuple(
        (name, json.dumps(facets[name], ensure_ascii=False, indent=2, sort_keys=True, default=str))
        for name in sorted(facets)
    )
