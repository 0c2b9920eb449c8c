"""What capture costs: a training script with and without `autolog()`, in pairs, and the audit hook on many opens.

Prints medians of the pairs' differences, the fingerprinting share apart from the rest: fingerprinting is what handing
tables over to the recorder and waiting for its digests takes; the rest is starting it, hooks, and waiting until the
statements are recorded and signed.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PAIRS = 5
OPENS = 20_000

DATA = """
import numpy as np, pandas as pd
random = np.random.default_rng(7)
rows, columns = 300_000, 12
frame = pd.DataFrame(random.normal(size=(rows, columns)), columns=[f"x{i}" for i in range(columns)])
frame["label"] = (frame["x0"] * frame["x1"] + random.normal(size=rows) > 0).astype("int8")
frame.to_parquet("features.parquet")
"""

TRAIN = """
{line}
import joblib, pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

frame = pd.read_parquet("features.parquet")
train, test = train_test_split(frame, random_state=0)
X, y = train.drop(columns="label"), train["label"]
model = RandomForestClassifier(n_estimators=6, max_depth=10, random_state=0).fit(X, y)
print(model.score(test.drop(columns="label"), test["label"]))
joblib.dump(model, "model.joblib")
"""

LINE = "import wherefrom; wherefrom.autolog()"

OPEN = """
import time
{line}
paths = [f"files/{{i:05}}.bin" for i in range({opens})]
same = [paths[0]] * {opens}

def read(paths):
    start, cpu = time.perf_counter(), time.process_time()
    for path in paths:
        with open(path, "rb") as file:
            file.read()
    return time.perf_counter() - start, time.process_time() - cpu

def best(paths):
    return min(read(paths) for _ in range(9))

read(paths)
print(*best(same), *best(paths))
"""

FIRST = """
import time
{line}
paths = [f"files/{{i:05}}.bin" for i in range({opens})]

def read(paths):
    start, cpu = time.perf_counter(), time.process_time()
    for path in paths:
        with open(path, "rb") as file:
            file.read()
    return time.perf_counter() - start, time.process_time() - cpu

read(paths[:1])
time.sleep({wait})
print(*read(paths))
"""


def run(script: Path, timings: Path | None = None) -> tuple[float, str]:
    environment = {**os.environ, **({"WHEREFROM_TIMINGS": str(timings)} if timings else {})}
    start = time.perf_counter()
    words = [sys.executable, script.name]
    done = subprocess.run(words, cwd=script.parent, env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(done.stderr)
    return seconds, done.stdout


def bench_training(folder: Path) -> None:
    (folder / "data.py").write_text(DATA)
    run(folder / "data.py")
    (folder / "plain.py").write_text(TRAIN.format(line=""))
    (folder / "logged.py").write_text(TRAIN.format(line=LINE))
    timings = folder / "timings.jsonl"
    run(folder / "plain.py")
    run(folder / "logged.py", timings)  # makes the archive, and fingerprints the table for the first time
    first = json.loads(timings.read_text())
    timings.unlink()
    pairs = [(run(folder / "plain.py")[0], run(folder / "logged.py", timings)[0]) for _ in range(PAIRS)]
    spent = [json.loads(line) for line in timings.read_text().splitlines()]
    plain = statistics.median(plain for plain, _ in pairs)
    added = statistics.median(logged - plain for plain, logged in pairs)
    fingerprinting = statistics.median(s["handover_s"] + s["waited_s"] for s in spent)
    waiting = statistics.median(s["wait_s"] - s["waited_s"] for s in spent)
    starting = statistics.median(s["start_s"] for s in spent)
    print(
        f"training script, {PAIRS} pairs: without {plain:.3f} s; differences "
        + " ".join(f"{1000 * (logged - plain):+.0f}" for plain, logged in pairs)
        + " ms"
    )
    print(f"  with autolog, median       {1000 * added:+7.1f} ms  {100 * added / plain:+.2f} %")
    print(f"  of which fingerprinting    {1000 * fingerprinting:7.1f} ms  (hand over X and y, wait for digests)")
    print(
        f"  of which all else          {1000 * (starting + waiting):7.1f} ms  "
        f"{100 * (starting + waiting) / plain:.2f} %  (start {1000 * starting:.1f}, end {1000 * waiting:.1f}); "
        f"goal: under 50 ms or 1 %"
    )
    print(
        f"  in the recorder, beside it {1000 * statistics.median(s['hashing_s'] for s in spent):7.1f} ms of hashing; "
        f"the first run, which nothing was known for: {1000 * first['hashing_s']:.1f} ms"
    )


def bench_opens(folder: Path) -> None:
    (folder / "files").mkdir()
    for number in range(OPENS):
        (folder / "files" / f"{number:05}.bin").write_bytes(b"x" * 100)
    (folder / "wherefrom.toml").write_text('[capture]\nexclude = ["files"]\n')  # the hook's cost, not that of hashing
    scripts = {"again": OPEN, "first": FIRST}
    for name, text in scripts.items():
        (folder / f"{name}-without.py").write_text(text.format(line="", opens=OPENS, wait=0))
        (folder / f"{name}-with.py").write_text(text.format(line=LINE, opens=OPENS, wait=2))
    results: dict[str, list[list[float]]] = {f"{name}-{how}": [] for name in scripts for how in ("without", "with")}
    for _ in range(PAIRS):
        for name, rows in results.items():
            rows.append([float(value) for value in run(folder / f"{name}.py")[1].split()])
    cases = {
        "one file again and again": ("again", 0),
        "many files again": ("again", 2),
        "each file for the first time": ("first", 0),
    }
    print(f"{OPENS} times open, read, close; medians of {PAIRS} processes, of the best of 9 in each where it is again")
    for what, (name, column) in cases.items():
        wall, cpu = (
            [statistics.median(row[column + clock] for row in results[f"{name}-{how}"]) for how in ("without", "with")]
            for clock in (0, 1)
        )
        print(
            f"  {what:30} without {wall[0]:.3f} s, with {wall[1]:.3f} s: {100 * (wall[1] / wall[0] - 1):+5.1f} %;"
            f"  CPU of the process {100 * (cpu[1] / cpu[0] - 1):+5.1f} %"
        )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench_training(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        bench_opens(Path(folder))


if __name__ == "__main__":
    main()
