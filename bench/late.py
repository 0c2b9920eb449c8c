"""Events of one job that come late: seconds to take them into the live graph, in each order, for each event.

    python bench/late.py [EVENTS]

The job's lineage changes with each run, or never does. What came in order is the measure for the others.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from ledger import machine

EVENTS = 16_000
ORDERS = ("in order", "newest first", "at random", "after the newest")


def make_times(order: str, count: int) -> list[int]:
    chance = random.Random(1)
    return {
        "in order": list(range(count)),
        "newest first": list(range(count, 0, -1)),
        "at random": [chance.randrange(1 << 40) for _ in range(count)],
        "after the newest": [count, *range(1, count)],
    }[order]


def follow(times: list[int], *, shapes: int) -> float:
    """Seconds to follow runs of one job that completed at these times, and read one of so many tables in turn."""
    from wherefrom.lineage.graph import Follower
    from wherefrom.lineage.shape import Shape, format_shape
    from wherefrom.store import Database, schema
    from wherefrom.store.bulk import bulk_insert
    from wherefrom.store.graph_tables import GraphTables

    bodies = [format_shape(Shape.of([(n + 2, "declared")], [(1, "declared")])) for n in range(shapes)]
    with contextlib.closing(Database.in_memory()) as database, database.writing() as connection:
        bulk_insert(connection, schema.entities, [(n, "bench", f"table_{n}", 0) for n in range(1, shapes + 2)])
        bulk_insert(connection, schema.jobs, [(1, "bench", "job", 0)])
        rows = [(n, hashlib.sha256(body.encode()).digest(), body, 0) for n, body in enumerate(bodies, 1)]
        bulk_insert(connection, schema.shapes, rows)
        events = [(n, n + 1, 1, 0, "COMPLETE", "", at, n % shapes + 1) for n, at in enumerate(times)]
        bulk_insert(connection, schema.events, events)
        start = time.perf_counter()
        Follower().catch_up(GraphTables(connection), len(times))
        return time.perf_counter() - start


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    print(f"this machine: {machine.describe()}")
    for shapes in (1, 2):
        base, what = None, "the same" if shapes == 1 else "something else each time"
        for order in ORDERS:
            spent = follow(make_times(order, count), shapes=shapes)
            base = base or spent
            ratio = f"{spent / base:.1f} × in order"
            print(f"{count:,} runs of a job that says {what}, {order}: {spent:.2f} s, {ratio}", flush=True)


if __name__ == "__main__":
    main()
