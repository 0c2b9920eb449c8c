"""Finding names: exact, by their beginning, by a word's beginning, by a part, and in spite of a typing error.

All names lie in one piece of text, so a scan of it is a search in C: at a million names some ten milliseconds, and a
name can be found as soon as it is there. Only words are gathered, for typing errors, and numbers are no words.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import NamedTuple

from wherefrom.errors import UnavailableError
from wherefrom.lineage.graph.names import Names

_WORD = re.compile(rb"[^\W\d_]{3,40}")
_LIKE_ENOUGH = 75  # of 100: one wrong letter of five
_MOST_HITS = 5000
_MOST_WORDS = 5


class Hit(NamedTuple):
    """Attributes: node; rank: 0 exact, 1 prefix, 2 word, 3 part, 4 similar; score: of the similarity, 0 to 100."""

    node: int
    rank: int
    score: float


RANKS = ("exact", "prefix", "word", "part", "similar")


class Search:
    """Over the names of a graph; what is said of them (ASCII) letters' case does not matter."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._lower = bytearray(b"\n")
        self._words: dict[int, dict[bytes, str]] = {}  # by their length in bytes

    def _keep_up(self) -> None:
        texts = self._names.texts
        if len(self._lower) == len(texts.data):
            return
        begin = len(self._lower)
        new = texts.data[begin:].lower()  # bytes: as long as before, so places are the same in both
        self._lower += new
        for word in set(_WORD.findall(new)):
            self._words.setdefault(len(word), {})[word] = word.decode()

    def find(self, text: str, *, accept: Callable[[int], bool], limit: int) -> list[Hit]:
        """The best hits among nodes that `accept` takes, at most `limit`; the shorter name first of two alike.

        Raises UnavailableError: the library that finds what is similar is not installed.
        """
        self._keep_up()
        wanted = text.strip().lower().encode("utf-8", "replace").replace(b"\n", b"")
        if not wanted:
            return []
        best: dict[int, Hit] = {}
        # A scan takes as long as all the rest: that for beginnings alone is for where the other one was cut short.
        for pattern, offset in ((wanted, 0), (b"\n" + wanted, 1)):
            begun = len(best)
            for node, position, place in self._scan(pattern, accept, offset):
                hit = Hit(node, self._rank(wanted, place, position), 100.0)
                if node not in best or hit.rank < best[node].rank:
                    best[node] = hit
                    if len(best) - begun >= _MOST_HITS:
                        break
            else:
                break
        if len(best) < limit:
            for word, score in self._similar(wanted):
                for node, _, _ in self._scan(word, accept):
                    if node not in best:
                        best[node] = Hit(node, 4, score)
                    if len(best) >= _MOST_HITS:
                        break
        # Of many hits, only those that may be shown are named: reading a name costs more than ranking it.
        ordered = sorted(best.values(), key=lambda hit: (hit.rank, -hit.score, self._length(hit.node), hit.node))
        return ordered[:limit]

    def _length(self, node: int) -> int:
        return len(self._names[node].name)

    def _scan(self, wanted: bytes, accept: Callable[[int], bool], offset: int = 0) -> Iterator[tuple[int, int, int]]:
        """In order: node, position of the name, and where in the text it stands, without the first `offset` bytes."""
        starts, nodes = self._names.texts.starts, self._names.nodes.values
        place = self._lower.find(wanted)
        while place >= 0:
            position = bisect_right(starts, place + offset) - 1
            after = place + 1
            if accept(node := nodes[position]):
                yield node, position, place + offset
            else:  # a name that may not be seen is passed over as a whole
                after = max(after, starts[position + 1] - offset)
            place = self._lower.find(wanted, after)

    def _rank(self, wanted: bytes, place: int, position: int) -> int:
        starts = self._names.texts.starts
        if place == starts[position]:
            return 0 if place + len(wanted) == starts[position + 1] - 1 else 1
        before = self._lower[place - 1 : place]
        return 3 if before.isalnum() else 2

    def _similar(self, wanted: bytes) -> list[tuple[bytes, float]]:
        try:
            from rapidfuzz import fuzz, process
        except ImportError as error:
            raise UnavailableError("search needs an extra: pip install 'wherefrom[server]'") from error
        words = _WORD.findall(wanted)
        if not words:
            return []
        longest = max(words, key=len)
        lengths = range(len(longest) - 2, len(longest) + 3)
        choices = {word: text for length in lengths for word, text in self._words.get(length, {}).items()}
        found = process.extract(
            longest.decode("utf-8", "replace"),
            choices,
            scorer=fuzz.ratio,
            score_cutoff=_LIKE_ENOUGH,
            limit=_MOST_WORDS,
        )
        return [(word, score) for _, score, word in found if word != wanted]
