"""What a proof about one record costs: made from a kept tree, and verified by the offline verifier alone.

    python bench/fingerprint/proofs.py [--rows 1000000] [--leaves FOLDER] [--parquet FILE]

The table is that of `scale.py`. Rows that are in it, and rows that are not, are proved one by one, as are keys of the
column whose values are all different; each proof is then verified in a process that can't import numpy or pyarrow, and
again with each of its hashes flipped. Limits: made in 5 ms, at most 2 KB, verified in 2 ms (99th percentiles).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parent.parent))

from fingerprint.scale import CHUNK_ROWS, make_table

from wherefrom.commitments.proof import format_proof
from wherefrom.fingerprints import KeptTree, KeptTrees, Key, fingerprint_with_keys, prove_rows
from wherefrom.fingerprints.json_rows import iter_json_rows

PROOFS = 1_000
MADE_MS, VERIFIED_MS, MOST_BYTES = 5.0, 2.0, 2048
KEY = Key(("all",))

# Runs where numpy and pyarrow can't be imported: proofs come as JSON lines, times and refusals go back.
VERIFIER = """
import base64, json, sys, time
for name in ("numpy", "pyarrow", "datafusion", "sqlalchemy", "rfc8785"):
    sys.modules[name] = None
from wherefrom.verify import Outcome, verify_proof
for line in sys.stdin:
    text = json.loads(line)
    data = text.encode()
    began = time.perf_counter()
    outcome = verify_proof(data).outcome
    took = time.perf_counter() - began
    head, _, tail = text.partition("\\n\\n")
    hashes = tail.split()
    accepted = 0
    for index, value in enumerate(hashes):
        changed = bytearray(base64.b64decode(value))
        changed[index % 32] ^= 1
        other = [*hashes[:index], base64.b64encode(changed).decode(), *hashes[index + 1:]]
        verdict = verify_proof((head + "\\n\\n" + "".join(f"{h}\\n" for h in other)).encode())
        accepted += verdict.outcome is Outcome.TRUE
    print(json.dumps([outcome.value, took, len(hashes), accepted]))
"""


def iter_batches(rows: int) -> Iterator[pa.RecordBatch]:
    for first in range(0, rows, CHUNK_ROWS):
        yield from make_table(min(CHUNK_ROWS, rows - first), first=first).to_batches()


def keep(rows: int, leaves: Path, parquet: Path | None) -> tuple[str, str]:
    """The ids of the table's tree and of its keys', kept in the folder."""
    note = leaves / f"bench-{rows}.json"
    if note.exists():
        records, keys = json.loads(note.read_text())
        return records, keys
    schema = make_table(0).schema
    source = parquet or pa.RecordBatchReader.from_batches(schema, iter_batches(rows))
    began = time.perf_counter()
    records, [keys] = fingerprint_with_keys(source, keys=[KEY], keep=leaves, keep_at_most=None)
    assert records.rows == rows, f"{records.rows:,} rows in {parquet}"
    print(f"made and kept both trees of {rows:,} rows in {time.perf_counter() - began:.0f} s")
    note.write_text(json.dumps([str(records), str(keys)]))
    return str(records), str(keys)


def rows_to_prove(rows: int) -> dict[str, list[dict]]:
    """Rows of the first chunk, and the same with one value changed."""
    table = make_table(min(CHUNK_ROWS, rows))
    chosen = sorted(random.Random(1).sample(range(table.num_rows), min(PROOFS, table.num_rows)))
    present = [row for batch in table.take(chosen).combine_chunks().to_batches() for row in iter_json_rows(batch)]
    absent = [{**row, "all": f"nobody-{number}"} for number, row in enumerate(present)]
    return {"present": present, "absent": absent}


def percentiles(values: list[float]) -> tuple[float, float]:
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


def measure(tree: KeptTree, rows: list[dict], kind: str, what: str) -> bool:
    made, proofs = [], []
    for row in rows:
        began = time.perf_counter()
        proof = prove_rows(tree, [row])
        text = format_proof(proof)
        made.append(1000 * (time.perf_counter() - began))
        assert proof.claims[0].kind == kind, row
        proofs.append(text.decode())
    answers = subprocess.run(
        [sys.executable, "-c", VERIFIER],
        input="".join(json.dumps(text) + "\n" for text in proofs),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ).stdout.splitlines()
    found = [json.loads(line) for line in answers]
    assert all(outcome == "true" for outcome, *_ in found)
    accepted = sum(answer[3] for answer in found)
    made_p50, made_p99 = percentiles(made)
    sizes_p50, sizes_p99 = percentiles([len(text.encode()) for text in proofs])
    verified_p50, verified_p99 = percentiles([1000 * answer[1] for answer in found])
    fine = made_p99 < MADE_MS and sizes_p99 <= MOST_BYTES and verified_p99 < VERIFIED_MS and accepted == 0
    print(
        f"{what:22} {made_p50:7.2f} {made_p99:7.2f} {sizes_p50:8,.0f} {sizes_p99:8,.0f} {verified_p50:8.2f} "
        f"{verified_p99:8.2f}   {accepted} of {sum(answer[2] for answer in found):,}   {'ok' if fine else 'over'}"
    )
    return fine


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--parquet", type=Path, help="the table, as scale.py --cache keeps it; else it is made")
    parser.add_argument("--leaves", type=Path, help="keep the trees here, and use them if they are there")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="wherefrom-bench-") as folder:
        leaves = options.leaves or Path(folder)
        leaves.mkdir(parents=True, exist_ok=True)
        ids = keep(options.rows, leaves, options.parquet)
        asked = rows_to_prove(options.rows)
        print(f"\n{PROOFS:,} proofs each, of {options.rows:,} rows x 10 columns, and of as many keys")
        print(f"{'':22} {'made, ms':^15} {'bytes':^17} {'verified, ms':^17}   flipped hashes accepted")
        print(f"{'':22} {'p50':>7} {'p99':>7} {'p50':>8} {'p99':>8} {'p50':>8} {'p99':>8}")
        for identifier, what in zip(ids, ("row", "key"), strict=True):
            with KeptTrees(leaves).open(identifier) as tree:
                for kind, rows in asked.items():
                    chosen = rows if what == "row" else [{"all": row["all"]} for row in rows]
                    measure(tree, chosen, kind, f"{what}, {kind}")
        print(f"limits{'':16} {'':>7} {MADE_MS:7.1f} {'':>8} {MOST_BYTES:8,} {'':>8} {VERIFIED_MS:8.1f}   0")


if __name__ == "__main__":
    main()
