"""The ledger on this machine: durable appends per second on SQLite and PostgreSQL, and milliseconds per question.

    python bench/ledger.py [appends] [events] [asking] [--entries N] [--events N] [--database sqlite|postgresql]

`appends`: the ledger alone, filled to 10,000, 100,000, … up to N entries (100,000 by default; 10,000,000 take an hour),
in batches of 1,000, 100 and 1, with inclusion proofs at each size. `events`: the whole way from an OpenLineage event to
its receipt, by one producer, 2 and 32 threads, and 16 processes. `asking`: traces, evidence and its verification. Every
commit is durable. The parts are in bench/ledger/.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from ledger import appends, asking, databases, events, machine

# Published by the projects; how long a commit takes there is not said. Sources: transparency-dev/tessera,
# docs/performance.md and storage/posix/PERFORMANCE.md; transparency-dev/tesseract, docs/performance.md; Sunlight's
# announcement on the ct-policy list; codenotary/immudb, README.md.
PEERS = """\
Tessera, files on NVMe, with dedup     ~10,000/s  up to 7 of 30 cores, Threadripper PRO 3975WX; 3.1 s to integrate
Tessera, files, 1 shared core           ~1,500/s  e2-micro, 1 GB; 683/s with dedup
TesseraCT, MinIO and MariaDB               500/s  two Dell R630
TesseraCT, Google Cloud                  1,700/s  three n2-standard-4
Sunlight in production               41 ms p50, 101 ms p99 of sequencing, pooled for 1 s before; EPYC 7443P, 24 cores
immudb, embedded, batches of 1,000      1.2 M/s  4 cores, not a signed log on each commit"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="part", help="appends, events, asking")
    parser.add_argument("--entries", type=int, default=100_000, help="to fill the ledger with")
    parser.add_argument("--events", type=int, default=10_000, help="to record the whole way")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], help="only this one")
    options = parser.parse_args()
    parts = options.parts or ["appends", "events", "asking"]
    if unknown := set(parts) - {"appends", "events", "asking"}:
        parser.error(f"no part {min(unknown)!r}; there are appends, events, asking")
    print(f"this machine: {machine.describe()}")
    with tempfile.TemporaryDirectory() as folder:
        machine.print_floor(Path(folder))
    for name in (options.database,) if options.database else ("sqlite", "postgresql"):
        with contextlib.nullcontext(databases.sqlite()) if name == "sqlite" else databases.postgresql() as place:
            if place is None:
                continue
            for part, run, count in (("appends", appends.run, options.entries), ("events", events.run, options.events)):
                if part in parts:
                    print(f"-- {part}, {name}", flush=True)
                    run(place, count)
    if "asking" in parts:
        print("-- asking, sqlite", flush=True)
        asking.run(2000)
    if "appends" in parts:
        print(f"-- peers, as they publish it\n{PEERS}")


if __name__ == "__main__":
    main()
