"""What fingerprints of files cost, against what people use today: same data, same machine, same run.

    python bench/fingerprint/files.py [--peers VENV] [--repeat 3] [--small 100000] [--large 4000] [--gib 4]

VENV is the folder of a virtual environment with the packages of requirements/bench.in. Each figure is that of a whole
process, page cache warm: the median of a few, and the largest peak of memory. Files that were never seen before,
unchanged files again, and again after one of them changed. What is not installed is skipped, and said so.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from wherefrom.fingerprints import fingerprint_files, read_file_entries
from wherefrom.merkle import hash_leaf, prove_inclusion

KIB, MIB, GIB = 2**10, 2**20, 2**30
SMALL, LARGE, ONE = "files of 4 KiB", "files of 1 MiB", "one file of GiB"

OURS = """
import sys
from wherefrom.fingerprints import StatCache, fingerprint_files
fingerprint_files(sys.argv[1], cache=StatCache(sys.argv[2]) if len(sys.argv) > 2 else None)
"""
LOOP = """
import hashlib, os, sys
view = memoryview(bytearray(2**19))
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        with open(os.path.join(folder, name), "rb", buffering=0) as file:
            digest = hashlib.sha256()
            while length := file.readinto(view):
                digest.update(view[:length])
"""


@dataclass(frozen=True)
class Cost:
    seconds: float
    peak_bytes: int


@dataclass
class Data:
    """One of the three data sets, in a folder of its own; tools keep their state beside `path`."""

    kind: str
    count: int
    size: int
    work: Path

    @property
    def path(self) -> Path:
        return self.work / "data"

    @property
    def title(self) -> str:
        return f"one file of {self.size / GIB:g} GiB" if self.kind == ONE else f"{self.count:,} {self.kind}"

    def make(self) -> None:
        for index in range(self.count):
            folder = self.path / f"{index // 1000:03}"
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / f"{index % 1000:03}.bin").open("wb") as file:
                for _ in range(0, self.size, MIB):
                    file.write(os.urandom(min(self.size, MIB)))

    def change_one(self) -> None:
        """A few bytes of the first file; its size stays."""
        with next(self.path.rglob("*.bin")).open("r+b") as file:
            file.write(os.urandom(16))


@dataclass(frozen=True)
class Tool:
    """A command, and how to make it forget what it has seen. `remembers`: whether unchanged files cost it less."""

    name: str
    command: Callable[[Data], list[str]]
    forget: Callable[[Data], None] = lambda _: None
    remembers: bool = False
    kinds: tuple[str, ...] = (SMALL, LARGE, ONE)
    environment: dict[str, str] = field(default_factory=dict)


def run(tool: Tool, data: Data) -> Cost:
    """One process from its start to its end; `peak_bytes` is of itself, not of its children, and no less than ours."""
    environment = {**os.environ, "HOME": str(data.work), "GIT_CONFIG_NOSYSTEM": "1", **tool.environment}
    with (data.work / "errors").open("wb+") as errors:
        begin = time.perf_counter()
        process = subprocess.Popen(
            tool.command(data), cwd=data.work, env=environment, stdout=subprocess.DEVNULL, stderr=errors
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            sys.exit(f"{tool.name} failed with status {process.returncode}:\n{errors.read().decode(errors='replace')}")
    return Cost(seconds, usage.ru_maxrss * KIB)


def measure(tool: Tool, data: Data, repeat: int) -> dict[str, list[Cost]]:
    costs: dict[str, list[Cost]] = {"first": []}
    for _ in range(repeat):
        tool.forget(data)
        costs["first"].append(run(tool, data))
    if tool.remembers:
        run(tool, data)
        costs["again"] = [run(tool, data) for _ in range(repeat)]
        costs["one changed"] = []
        for _ in range(repeat):
            data.change_one()
            costs["one changed"].append(run(tool, data))
    tool.forget(data)
    return costs


def our_tools() -> list[Tool]:
    def with_cache(data: Data) -> list[str]:
        return [sys.executable, "-c", OURS, str(data.path), str(data.work / "cache")]

    def forget(data: Data) -> None:
        shutil.rmtree(data.work / "cache", ignore_errors=True)

    return [
        Tool("wf-files-1", with_cache, forget, remembers=True),
        Tool("wf-files-1, no cache", lambda data: [sys.executable, "-c", OURS, str(data.path)]),
    ]


def find_peers(venv: Path | None) -> list[Tool]:
    peers = [Tool("hashlib, one by one", lambda data: [sys.executable, "-c", LOOP, str(data.path)])]
    if openssl := shutil.which("openssl"):
        peers.append(
            Tool(
                "openssl sha256",
                lambda data: [openssl, "sha256", str(next(data.path.rglob("*.bin")))],
                kinds=(ONE,),
            )
        )
    else:
        print("skipped: openssl is not installed")
    if shutil.which("git") and shutil.which("git-lfs"):
        peers.append(Tool("git add, git-lfs", lambda _: ["git", "add", "data"], start_git, remembers=True))
    else:
        print("skipped: git-lfs is not installed")
    return peers + [tool for tool in (find_dvc(venv), find_model_signing(venv)) if tool]


def start_git(data: Data) -> None:
    shutil.rmtree(data.work / ".git", ignore_errors=True)
    (data.work / ".gitattributes").write_text("data/** filter=lfs diff=lfs merge=lfs -text\n")
    for command in (("init", "-q"), ("lfs", "install", "--local")):
        environment = {**os.environ, "HOME": str(data.work), "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(["git", *command], cwd=data.work, env=environment, check=True, capture_output=True)


def find_dvc(venv: Path | None) -> Tool | None:
    if venv is None or not (venv / "bin" / "dvc").exists():
        print("skipped: dvc is not in the environment of --peers")
        return None
    dvc = str(venv / "bin" / "dvc")
    quiet = {"DVC_NO_ANALYTICS": "1", "DO_NOT_TRACK": "1"}
    kept = {f"DVC_{where}_DIR": ".dvc-home" for where in ("SITE_CACHE", "GLOBAL_CONFIG", "SYSTEM_CONFIG")}

    def forget(data: Data) -> None:
        for name in (".dvc", ".dvc-home"):
            shutil.rmtree(data.work / name, ignore_errors=True)
        for name in ("data.dvc", ".dvcignore"):
            (data.work / name).unlink(missing_ok=True)
        environment = {**os.environ, "HOME": str(data.work), **quiet, **kept}
        subprocess.run([dvc, "init", "-q", "--no-scm"], cwd=data.work, env=environment, check=True)

    return Tool("dvc add", lambda _: [dvc, "add", "-q", "data"], forget, remembers=True, environment=quiet | kept)


def find_model_signing(venv: Path | None) -> Tool | None:
    python = None if venv is None else venv / "bin" / "python"
    if python is None or not python.exists() or run_quietly(python, "-c", "import model_signing"):
        print("skipped: model-signing is not in the environment of --peers")
        return None

    def make_key(data: Data) -> None:
        if not (data.work / "key.pem").exists():
            command = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "key.pem"]
            subprocess.run(command, cwd=data.work, check=True)

    def command(_: Data) -> list[str]:
        arguments = ["sign", "key", "--private_key", "key.pem", "--signature", "model.sig", "data"]
        return [str(python), "-m", "model_signing", *arguments]

    return Tool("model_signing sign", command, make_key)


def run_quietly(*command: object) -> int:
    return subprocess.run([str(part) for part in command], capture_output=True, check=False).returncode


def median(costs: list[Cost]) -> float:
    return statistics.median(cost.seconds for cost in costs)


def bench(data: Data, tools: list[Tool], repeat: int) -> dict[str, dict[str, list[Cost]]]:
    print(f"\n{data.title:28}{'first':>9}{'again':>9}{'1 change':>9}{'of ours':>18}{'peak MB':>9}", flush=True)
    all_costs: dict[str, dict[str, list[Cost]]] = {}
    for tool in tools:
        if data.kind not in tool.kinds:
            continue
        costs = all_costs[tool.name] = measure(tool, data, repeat)
        ours = all_costs["wf-files-1"]
        # Who remembers nothing pays the first price each time.
        seconds = [median(costs.get(phase, costs["first"])) for phase in ours]
        ratios = "".join(f"{one / median(ours[phase]):6.1f}" for one, phase in zip(seconds, ours, strict=True))
        peak = max(cost.peak_bytes for costs_of_phase in costs.values() for cost in costs_of_phase)
        print(f"{tool.name:28}" + "".join(f"{one:9.2f}" for one in seconds) + f"{ratios}{peak / 1e6:9.0f}", flush=True)
    if (data.work / "model.sig").exists():
        print(f"{'signature of model_signing':28}{(data.work / 'model.sig').stat().st_size:9,} bytes")
    return all_costs


def judge(what: str, value: float, limit: float, *, at_least: bool = False) -> None:
    is_met = value >= limit if at_least else value <= limit
    sign = ">=" if at_least else "<="
    print(f"{'met   ' if is_met else 'MISSED'}  {what}: {value:.2f}, must be {sign} {limit:g}")


def judge_all(found: dict[str, dict[str, dict[str, list[Cost]]]], path: Path) -> None:
    """Against the figures that were asked for, which are for the default sizes."""
    print()
    small, large, one = (found[kind]["wf-files-1"] for kind in (SMALL, LARGE, ONE))
    for phase, limit in (("first", 3.0), ("again", 0.5), ("one changed", 0.6)):
        judge(f"{SMALL}, {phase}, s", median(small[phase]), limit)
    judge(f"{LARGE}, first, s", median(large["first"]), 1.7)
    if openssl := found[ONE].get("openssl sha256"):
        judge("one file, speed of openssl's", median(openssl["first"]) / median(one["first"]), 0.9, at_least=True)
    costs = [cost for kind in (small, large, one) for phase in kind.values() for cost in phase]
    judge("peak of memory, MB", max(cost.peak_bytes for cost in costs) / 1e6, 300)
    entries = read_file_entries(path)
    proof = prove_inclusion([hash_leaf(entry.to_bytes()) for entry in entries], len(entries) // 2)
    judge("proof of one file (its entry and hashes), KB", (sum(map(len, proof)) + len(entries[0].to_bytes())) / 1e3, 2)
    judge("root object, KB", len(str(fingerprint_files(path).to_json())) / 1e3, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, help="virtual environment with the packages of requirements/bench.in")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--small", type=int, default=100_000, help="how many files of 4 KiB")
    parser.add_argument("--large", type=int, default=4_000, help="how many files of 1 MiB")
    parser.add_argument("--gib", type=float, default=4, help="size of the one file")
    parser.add_argument(
        "--folder", type=Path, help="where to make the data; the folder for temporary files, if not given"
    )
    options = parser.parse_args()
    tools = our_tools() + find_peers(options.peers and options.peers.absolute())
    print(
        f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}; medians of {options.repeat}, in seconds"
    )
    found = {}
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="wherefrom-bench-") as folder:
        for kind, count, size in (
            (SMALL, options.small, 4 * KIB),
            (LARGE, options.large, MIB),
            (ONE, 1, int(options.gib * GIB)),
        ):
            data = Data(kind, count, size, Path(folder, kind.replace(" ", "-")))
            data.make()
            # Else the first tool pays for what the kernel still has to write.
            os.sync()
            found[kind] = bench(data, tools, options.repeat)
            if kind != SMALL:
                shutil.rmtree(data.work)
        judge_all(found, Path(folder, SMALL.replace(" ", "-"), "data"))


if __name__ == "__main__":
    main()
