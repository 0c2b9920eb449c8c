"""Writers and readers on one log at once; readers verify every proof against checkpoints that they chain together.

Usage: python bench/hammer.py [SECONDS] [--writers N] [--readers N] [--processes N] [--entries N] [--postgresql]

Exits with 1, and all that is known, at the first failure.
"""

import argparse
import contextlib
import statistics
import sys
import tempfile
from pathlib import Path

for name in ("unit", "contract", "fault"):
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / name))

from hammering import hammer  # noqa: E402 - where it is is said above
from postgresql_server import PostgresqlServer  # noqa: E402

from wherefrom.archive import Archive  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seconds", nargs="?", type=float, default=300)
    parser.add_argument("--writers", type=int, default=16)
    parser.add_argument("--readers", type=int, default=16)
    parser.add_argument("--processes", type=int, default=4, help="of writers, and as many of readers")
    parser.add_argument("--entries", type=int, default=70_000, help="recorded before they begin")
    parser.add_argument("--postgresql", action="store_true", help="in a throw-away cluster")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = None
        if options.postgresql:
            url = f"{stack.enter_context(contextlib.closing(PostgresqlServer())).url}&schema=hammer"
        archive = stack.enter_context(contextlib.closing(Archive.init(root, namespace="hammer", database_url=url)))
        done = hammer(
            archive,
            seconds=options.seconds,
            writers=options.writers,
            readers=options.readers,
            processes=options.processes,
            entries=options.entries,
        )
    print(
        f"{options.writers} writers and {options.readers} readers in {2 * options.processes} processes, "
        f"{'PostgreSQL' if options.postgresql else 'SQLite'}, {done.seconds:,.0f} s; {done.entries:,} entries"
    )
    for what, times in sorted(done.spent.items(), key=lambda item: -len(item[1])):
        cuts = statistics.quantiles(times, n=100) if len(times) > 1 else [*times] * 99
        rate = len(times) / done.seconds
        print(f"{len(times):9,}  {what:32} {rate:8,.0f}/s   p50 {cuts[49]:7.1f} ms   p99 {cuts[98]:7.1f} ms")
    for failure in done.failures:
        print(f"FAILED: {failure}")
    print(f"{sum(map(len, done.spent.values())):9,}  operations, {len(done.failures)} failures")
    sys.exit(1 if done.failures else 0)


if __name__ == "__main__":
    main()
