"""`/v1/search` over a million names: milliseconds for a name that is known, one begun, and one mistyped.

Half of the names are of data sets and half of jobs, in 20 namespaces, made of 20,000 words, of which some are in very
many names and most in few. The rows of the views are written as they are: what is measured is the search, from the
start of the server to the bytes of an answer.
"""

from __future__ import annotations

import random
import tempfile
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from ledger import machine

from server import running
from server.graph import ask

NAMES = 1_000_000
WORDS = 20_000
SPACES = 20
QUESTIONS = 100
SKEW = 3
_PAGE = 50_000


def make_words(count: int, *, seed: int = 1) -> list[str]:
    """So many words of four to nine letters that can be said."""
    chance = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        syllables = (chance.choice("bcdfghjklmnprstvwz") + chance.choice("aeiou") for _ in range(chance.randint(2, 4)))
        found["".join(syllables) + chance.choice(["", "r", "s", "n"])] = None
    return list(found)


def make_names(count: int, words: list[str], *, seed: int = 2) -> list[str]:
    """`word_word.word_number`; the first words are the most used."""
    chance = random.Random(seed)

    def word() -> str:
        return words[int(len(words) * chance.random() ** SKEW)]

    return [f"{word()}_{word()}.{word()}_{number:07}" for number in range(count)]


def fill(root: Path, names: list[str]) -> None:
    """Make an archive in `root` whose views have these names, by turns of a data set and of a job."""
    from wherefrom.archive import Archive
    from wherefrom.store.bulk import bulk_insert
    from wherefrom.store.schema import entities, jobs

    archive = Archive.init(root, namespace="bench")
    with archive.writing() as connection:
        for table, of_table in ((entities, names[::2]), (jobs, names[1::2])):
            rows = [(n, f"space{n % SPACES}", name, 0) for n, name in enumerate(of_table, 1)]
            for start in range(0, len(rows), _PAGE):
                bulk_insert(connection, table, rows[start : start + _PAGE])
    archive.close()


def mistype(word: str, chance: random.Random) -> str:
    """Two letters of it changed places, or one is another."""
    at = chance.randrange(1, len(word) - 1)
    if chance.random() < 0.5 and word[at] != word[at + 1]:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return f"{word[:at]}x{word[at + 1 :]}"


def run() -> None:
    """Print the figures."""
    words = make_words(WORDS)
    names = make_names(NAMES, words)
    chance = random.Random(3)
    kinds: dict[str, Callable[[], str]] = {
        "exact, a whole name": lambda: chance.choice(names),
        "prefix, the first six letters of a name": lambda: chance.choice(names)[:6],
        "part, three digits": lambda: f"{chance.randrange(1000):03}",
        "typo, in some name's first word": lambda: mistype(chance.choice(names).partition("_")[0], chance),
        "typo, in any of the words": lambda: mistype(chance.choice(words), chance),
    }
    print(f"{NAMES:,} names of {WORDS:,} words, {sum(map(len, names)) / NAMES:.0f} characters each", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder), names)
        with running.serving(Path(folder)) as (url, token, pid):
            start = time.perf_counter()
            ask(url, token, [_path(names[0])], clients=1)
            took = time.perf_counter() - start
            print(f"  first answer, from the start on: {took:.1f} s; {machine.rss_mib(pid):,.0f} MiB", flush=True)
            for clients in (1, 8):
                for what, make in kinds.items():
                    asked = ask(url, token, [_path(make()) for _ in range(QUESTIONS)], clients=clients)
                    p50, p95 = (machine.percentile(asked.spent, part) * 1000 for part in (50, 95))
                    print(f"  {what}, {clients} client(s): p50 {p50:6.1f} ms  p95 {p95:6.1f} ms", flush=True)


def _path(text: str) -> str:
    return f"/v1/search?q={urllib.parse.quote(text)}"
