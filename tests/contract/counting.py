"""Run as a program: count up a number in a database, reading it and writing it back, in threads that take turns.

Arguments: the location, how many threads, how often each. Were two of them ever to overlap, a count would be lost.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sqlalchemy as sa

from wherefrom.store import Database
from wherefrom.store.schema import archive


def parse_location(text):
    return text if text.startswith("postgresql://") else Path(text)


def count_up(database):
    with database.writing() as connection:
        number = int(connection.scalar(sa.select(archive.c.value).where(archive.c.key == "count")) or 0)
        connection.execute(archive.delete().where(archive.c.key == "count"))
        connection.execute(archive.insert(), {"key": "count", "value": str(number + 1)})


def count_in_threads(database, threads, times):
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(count_up, database) for _ in range(threads * times)]:
            done.result()


if __name__ == "__main__":
    opened = Database.open(parse_location(sys.argv[1]))
    count_in_threads(opened, int(sys.argv[2]), int(sys.argv[3]))
    opened.close()
