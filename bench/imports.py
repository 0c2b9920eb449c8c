"""What importing costs: bare Python, `import wherefrom`, `autolog()`, beside figures of other tools.

The others are quoted, not measured here, as they are no dependencies: MLflow 3.17 `import mlflow` 1.34 s, DVC 3.67
`import dvc.api` 0.26 s, dvclive 0.18 s, where bare Python took 0.011 s.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 21

PROGRAMS = {
    "bare Python": "pass",
    "import wherefrom": "import wherefrom",
    "import wherefrom; autolog, not waiting": "import os, wherefrom; wherefrom.autolog(); os._exit(0)",
    "import json, logging, subprocess": "import json, logging, subprocess",
    "import numpy": "import numpy",
}


def main() -> None:
    times: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            for name, program in PROGRAMS.items():
                start = time.perf_counter()
                subprocess.run([sys.executable, "-c", program], cwd=folder, check=True, stderr=subprocess.DEVNULL)
                times[name].append(time.perf_counter() - start)
    bare = statistics.median(times["bare Python"])
    for name, seconds in times.items():
        median = statistics.median(seconds)
        print(f"{name:40} {1000 * median:7.1f} ms  (+{1000 * (median - bare):.1f}; best {1000 * min(seconds):.1f})")
    print("goal: import wherefrom under 150 ms, bare Python included")


if __name__ == "__main__":
    main()
