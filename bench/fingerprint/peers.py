"""What fingerprints detect and what they cost, against what people use today: same data, same machine, same run.

    python bench/fingerprint/peers.py --peers VENV [--rows 1000000] [--repeat 3]

VENV is the folder of a virtual environment with the packages of requirements/bench.in. Each peer runs in a process of
its own there, wherefrom in the Python that runs this. No answer is written down here: each is worked out by asking the
peer about two files and comparing what it says of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

if __package__:
    from .cases import make_table, write_cases
else:
    from cases import make_table, write_cases

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .cases import Case


@dataclass(frozen=True, slots=True)
class Shown:
    """How a peer of `ask.py` stands in the tables."""

    name: str
    heading: str
    kind: str
    """"records" or "files": what its identity is one of."""
    costs: str
    """What the seconds of reading and of identifying contain."""
    ours: bool = False


PEERS = (
    Shown("wf-records-1", "wf-records", "records", "- | reading the file, hashing all rows", ours=True),
    Shown("wf-records-1 of a frame", "of a frame", "records", "pandas.read_parquet | hashing all rows", ours=True),
    Shown("wf-files-1", "wf-files", "files", "- | SHA-256 of the file, its tree of one leaf", ours=True),
    Shown("dvc", "dvc add", "files", "- | MD5 of the file, copying it into the cache"),
    Shown("model-signing", "model-sig", "files", "- | SHA-256 of the file, signing its manifest with a key"),
    Shown("mlflow", "mlflow", "records", "pandas.read_parquet | data.from_pandas(…).digest"),
    Shown("pandas", "pandas", "records", "pandas.read_parquet | hash_pandas_object, SHA-256 over its hashes"),
    Shown("datasets", "datasets", "records", "pandas.read_parquet | Dataset.from_pandas(…)._fingerprint"),
)


Asked = dict[Shown, list[dict[str, Any]]]


def ask(peer: Shown, question: dict[str, Any], python: Path, folder: Path) -> dict[str, Any]:
    """Put a question to `ask.py` in this Python; in a home of its own, since peers remember what they have seen."""
    home = Path(tempfile.mkdtemp(dir=folder))
    remembered = ("DVC_", "HF_", "MLFLOW_", "XDG_")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(remembered)},
        "HOME": str(home),
        "DO_NOT_TRACK": "1",
        "DVC_GLOBAL_CONFIG_DIR": str(home),
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(home),
        "DVC_SYSTEM_CONFIG_DIR": str(home),
        "HF_HUB_OFFLINE": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    done = subprocess.run(
        [sys.executable if peer.ours else python, "-P", Path(__file__).with_name("ask.py").resolve(), peer.name],
        cwd=home,
        env=environment,
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{peer.name} failed with status {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)


def ask_all(question: dict[str, Any], python: Path, folder: Path, *, repeat: int) -> tuple[Asked, list[str]]:
    """Answers of each peer to the same question, asked a few times in turns; and the packages that are not there.

    In turns, so that other work on the machine hits all peers alike. Only the first time they are asked about files.
    """
    asked: Asked = {peer: [] for peer in PEERS}
    missing = []
    for turn in range(repeat):
        for peer in list(asked):
            answer = ask(peer, question if turn == 0 else {**question, "files": []}, python, folder)
            if "missing" in answer:
                missing.append(answer["missing"])
                del asked[peer]
            else:
                asked[peer].append(answer)
    return asked, missing


def say(answers: dict[str, Any], case: Case) -> str:
    """same, other or refused: what a peer's answers about the two files of a case come to."""
    pair = [answers[str(path)] for path in (case.before, case.after)]
    if any("refused" in one for one in pair):
        return "refused"
    return "same" if pair[0] == pair[1] else "other"


def print_detections(cases: Iterable[Case], answers: dict[Shown, dict[str, Any]]) -> None:
    peers = list(answers)
    print("What each says of two tables; ! is not what an identity of its kind should say")
    print(f"\n{'':38}{'wanted of':16}" + "".join(f"{peer.heading:>10} " for peer in peers))
    print(f"{'':38}{'records':8}{'files':8}" + "".join(f"{peer.kind:>10} " for peer in peers))
    missed = dict.fromkeys(peers, 0)
    for case in cases:
        wanted = {"records": _word(same=case.same_rows), "files": _word(same=case.same_bytes)}
        words = []
        for peer in peers:
            word = say(answers[peer], case)
            is_wrong = word != wanted[peer.kind]
            missed[peer] += is_wrong
            words.append(f"{word + ('!' if is_wrong else ' '):>11}")
        print(f"{case.name:38}{wanted['records']:8}{wanted['files']:8}" + "".join(words))
    print(f"{'not as wanted':54}" + "".join(f"{count:>10} " for count in missed.values()))
    refusals = {
        (peer.name, answer["refused"]) for peer in peers for answer in answers[peer].values() if "refused" in answer
    }
    for name, reason in sorted(refusals):
        print(f"refused by {name}: {reason}")


def _word(*, same: bool) -> str:
    return "same" if same else "other"


def print_costs(rows: int, asked: Asked) -> None:
    print(f"\nWhat it costs for {rows:,} rows of the same table; medians, in seconds")
    print(f"\n{'':26}{'start':>8}{'read':>8}{'identify':>10}{'CPU':>8}{'M rows/s':>10}  read | identify")
    for peer, answers in asked.items():
        start, read, identify, cpu = (
            statistics.median(answer[part] for answer in answers)
            for part in ("start_s", "read_s", "identify_s", "cpu_s")
        )
        rate = rows / (read + identify) / 1e6
        print(f"{peer.name:26}{start:8.2f}{read:8.2f}{identify:10.2f}{cpu:8.2f}{rate:10.2f}  {peer.costs}")
    print("start: importing the library and identifying 10 rows, in a process of its own each time")
    print("CPU: of read and identify, in all threads; M rows/s: of read and identify")


def check_identities(asked: Asked) -> None:
    """One table has one identity, in each process; with wf-records-1 whatever holds it, else figures mislead."""
    ids = {peer: {answer["identity"] for answer in answers} for peer, answers in asked.items()}
    for peer, found in ids.items():
        if len(found) != 1:
            print(f"{peer.name}: {len(found)} identities of one table, in processes of their own")
    ours = set().union(*(found for peer, found in ids.items() if peer.ours and peer.kind == "records"))
    if len(ours) != 1:
        sys.exit(f"wf-records-1 of a Parquet file and its frame: expected one identity, got {', '.join(sorted(ours))}")


def run(rows: int, repeat: int, python: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cases = list(write_cases(folder / "cases"))
        warm, cost = folder / "warm.parquet", folder / "cost.parquet"
        pq.write_table(make_table(10), warm)
        pq.write_table(make_table(rows), cost)
        files = [str(path) for case in cases for path in (case.before, case.after)]
        question = {"files": files, "warm": str(warm), "cost": str(cost)}
        asked, missing = ask_all(question, python, folder, repeat=repeat)
        print(
            f"Python {platform.python_version()}; " + ", ".join(sorted({one[0]["version"] for one in asked.values()}))
        )
        print_detections(cases, {peer: answers[0]["answers"] for peer, answers in asked.items()})
        print_costs(rows, asked)
        check_identities(asked)
    if missing:
        print(f"not asked, since not in {python.parent.parent}: {', '.join(missing)}; see requirements/bench.in")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path, metavar="VENV", help="virtual environment with the peers; else this one")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the table that is timed")
    parser.add_argument("--repeat", type=int, default=3, help="times that each is measured")
    options = parser.parse_args(arguments)
    if options.rows < 1 or options.repeat < 1:
        parser.error(f"--rows is {options.rows} and --repeat {options.repeat}, expected at least 1")
    python = options.peers.absolute() / "bin" / "python" if options.peers else Path(sys.executable)
    if not python.exists():
        parser.error(f"--peers {options.peers}: no Python at '{python}', expected the folder of a virtual environment")
    run(options.rows, options.repeat, python)


if __name__ == "__main__":
    main()
