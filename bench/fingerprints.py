"""Fingerprints: how fast at scale, against floors and peers, and what each detects; all in one run.

    python bench/fingerprints.py [scale] [files] [peers] [proofs] [spark] [--rows N] [--peers VENV]

Without words, all but Spark, at sizes that take some minutes. Peers (dvc, mlflow, model-signing, …) are run from an
environment of their own, which `make bench-peers` makes; without it they are left out, by name. The parts are in
bench/fingerprint/.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fingerprint import files, peers, proofs, scale, spark

PEERS = Path(__file__).parent.parent / ".venv-peers"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="part", help="scale, files, peers, proofs, spark")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the tables that are made")
    parser.add_argument("--peers", type=Path, default=PEERS, help="an environment with the peers in it")
    options = parser.parse_args()
    with_peers = ["--peers", str(options.peers)] if options.peers.is_dir() else []
    parts = {
        "scale": lambda: scale.main(["--rows", str(options.rows)]),
        "proofs": lambda: proofs.main(["--rows", str(options.rows)]),
        "files": lambda: files.main(with_peers),
        "peers": lambda: peers.main(with_peers),
        "spark": lambda: spark.main(["--rows", str(options.rows)]),
    }
    if unknown := set(options.parts) - parts.keys():
        parser.error(f"no part {min(unknown)!r}; there are {', '.join(parts)}")
    for name in options.parts or [name for name in parts if name != "spark"]:
        print(f"-- {name}", flush=True)
        parts[name]()
        print()


if __name__ == "__main__":
    main()
