"""A run as OpenLineage events: START when it begins, then one of COMPLETE, FAIL and ABORT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from wherefrom import __version__
from wherefrom.capture.recorder.contents import Content
from wherefrom.capture.recorder.environment import (
    GitState,
    describe_host,
    describe_script,
    list_packages,
    read_git,
)
from wherefrom.capture.recorder.facets import EVENT_SCHEMA, PRODUCER, clean, make_facet
from wherefrom.capture.recorder.runs import Item, Run
from wherefrom.capture.recorder.territory import Territory, to_text
from wherefrom.statements import format_time


@dataclass(frozen=True)
class Surroundings:
    """What is known of a run's process when it begins; read once for each process.

    Attributes:
        problem: why the state of git is not known, "" when it is, or when there is none.
    """

    environment: Mapping[str, Any]
    git: GitState | None
    problem: str


def read_surroundings(process: Mapping[str, Any], *, root: str) -> Surroundings:
    script = process.get("script")
    git, problem = read_git(script.rpartition("/")[0] or "/" if script else root)
    environment = {
        "argv": process.get("argv", []),
        "python": process.get("python", {}),
        "packages": list_packages(process.get("packageFolders", [])),
        "host": describe_host(),
        "user": process.get("user", ""),
        "workingDirectory": process.get("workingDirectory", ""),
    }
    if described := describe_script(script):
        environment["script"] = described
    if git is not None:
        environment["git"] = git.to_json()
    return Surroundings(environment, git, problem)


class EventWriter:
    """Writes the events of the runs of one project."""

    def __init__(self, territory: Territory, namespace: str) -> None:
        self._territory = territory
        self._namespace = namespace

    def start(self, run: Run, surroundings: Surroundings) -> dict[str, Any]:
        facets = {"processing_engine": _engine(run), "wherefrom_environment": self._environment(run, surroundings)}
        if parent := self._parent(run):
            facets["parent"] = make_facet("parent", **parent)
        return self._event("START", run.started_ns, run, facets, surroundings.git)

    def end(
        self,
        run: Run,
        surroundings: Surroundings,
        inputs: list[tuple[Item, Content]],
        outputs: list[tuple[Item, Content]],
    ) -> dict[str, Any]:
        """The last event. Inputs that were inferred are among `inputs`, and say so."""
        end = run.end
        if end is None:
            raise AssertionError(f"run {run.run_id} has not ended")
        finish = {"reason": end.reason, "durationMs": (end.at_ns - run.started_ns) // 1_000_000}
        finish |= {} if end.exit_code is None else {"exitCode": end.exit_code}
        facets = {"wherefrom_end": make_facet("wherefrom_end", **finish)}
        if parent := self._parent(run):
            facets["parent"] = make_facet("parent", **parent)
        if end.error:
            facets["errorMessage"] = make_facet("errorMessage", programmingLanguage="python", **end.error)
        if parameters := [{"key": key, "value": value} for key, value in run.parameters.items()]:
            facets["executionParameters"] = make_facet("executionParameters", parameters=parameters)
        if run.seeds:
            facets["wherefrom_environment"] = self._environment(run, surroundings)
        if run.fits:
            facets["wherefrom_fits"] = make_facet("wherefrom_fits", fits=run.fits)
        if run.metrics or run.metrics_dropped:
            facets["wherefrom_metrics"] = make_facet(
                "wherefrom_metrics", metrics=run.metrics, dropped=run.metrics_dropped
            )
        if run.logs or run.logs_dropped:
            facets["wherefrom_logs"] = make_facet("wherefrom_logs", records=run.logs, dropped=run.logs_dropped)
        event = self._event(end.state, end.at_ns, run, facets, surroundings.git)
        event["inputs"] = [self._dataset(item, content, "input") for item, content in inputs]
        event["outputs"] = [self._dataset(item, content, "output") for item, content in outputs]
        return event

    def job_of(self, run: Run) -> tuple[str, str]:
        """Namespace and name."""
        if run.job:
            return self._namespace, to_text(run.job)
        script = run.process.get("script")
        if script:
            return self._territory.name_of(script, namespace=self._namespace)
        return self._namespace, "interactive"

    def name_of(self, item: Item) -> tuple[str, str]:
        """Namespace and name of a data set."""
        if not item.name:
            return self._territory.name_of(item.path, namespace=self._namespace)
        scheme, separator, rest = item.name.partition("://")
        if not separator:
            return self._namespace, to_text(item.name)
        host, _, name = rest.partition("/")
        return (f"{scheme}://{host}", to_text(name)) if name else (scheme, to_text(host))

    def _event(self, kind: str, at_ns: int, run: Run, facets: dict[str, Any], git: GitState | None) -> dict[str, Any]:
        namespace, name = self.job_of(run)
        job_facets = {
            "jobType": make_facet("jobType", processingType="BATCH", integration="WHEREFROM", jobType=run.kind)
        }
        if git is not None and (location := _location(run, git)):
            job_facets["sourceCodeLocation"] = location
        return {
            "eventType": kind,
            "eventTime": format_instant(at_ns),
            "producer": PRODUCER,
            "schemaURL": EVENT_SCHEMA,
            "run": {"runId": run.run_id, "facets": facets},
            "job": {"namespace": namespace, "name": name, "facets": job_facets},
            "inputs": [],
            "outputs": [],
        }

    def _environment(self, run: Run, surroundings: Surroundings) -> dict[str, Any]:
        seeds = {"seeds": run.seeds} if run.seeds else {}
        return make_facet("wherefrom_environment", **surroundings.environment, **seeds)

    def _parent(self, run: Run) -> dict[str, Any] | None:
        if run.enclosing is not None:
            namespace, name = self.job_of(run.enclosing)
            return {"run": {"runId": run.enclosing.run_id}, "job": {"namespace": namespace, "name": name}}
        if run.parent is not None:
            return {
                "run": {"runId": run.parent["run"]},
                "job": {"namespace": self._namespace, "name": clean(run.parent["job"])},
            }
        return None

    def _dataset(self, item: Item, content: Content, side: str) -> dict[str, Any]:
        namespace, name = self.name_of(item)
        ours: dict[str, Any] = {"digests": dict(content.digests), "known": item.known, "via": item.via}
        statistics: dict[str, Any] = {}
        if content.total_bytes is not None:
            ours["totalBytes"] = statistics["size"] = content.total_bytes
        if content.files is not None:
            statistics["fileCount"] = content.files
        facets: dict[str, Any] = {}
        if content.records is not None:
            ours["rows"] = statistics["rowCount"] = content.records.rows
            ours["records"] = content.records.to_json()
            if content.records.read_options:
                ours["readOptions"] = content.records.read_options
            fields = [{"name": column.name, "type": str(column.type)} for column in content.records.columns]
            facets["schema"] = make_facet("schema", fields=fields)
        if content.keys:
            ours["keys"] = [key.to_json() for key in content.keys]
        facets["wherefrom_fingerprint"] = make_facet("wherefrom_fingerprint", **ours)
        if item.model:
            facets["wherefrom_model"] = make_facet("wherefrom_model", **item.model)
        dataset = {"namespace": namespace, "name": name, "facets": facets}
        if statistics:
            key = f"{side}Statistics"
            dataset[f"{side}Facets"] = {key: make_facet(key, **statistics)}
        return dataset


def format_instant(at_ns: int) -> str:
    return format_time(datetime.fromtimestamp(at_ns // 1_000 / 1_000_000, UTC))


def _engine(run: Run) -> dict[str, Any]:
    version = run.process.get("python", {}).get("version", "")
    return make_facet("processing_engine", name="python", version=version, openlineageAdapterVersion=__version__)


def _location(run: Run, git: GitState) -> dict[str, Any] | None:
    path = to_text(run.process.get("script") or "")
    if not path.startswith(f"{git.top}/"):
        return None
    url = git.repository if "://" in git.repository else f"file://{quote(git.repository or git.top)}"
    members = {"type": "git", "url": url, "path": path[len(git.top) + 1 :], "version": git.commit, "branch": git.branch}
    return make_facet("sourceCodeLocation", **{key: value for key, value in members.items() if value})
