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
        self._words: set[bytes] = set()

    def _keep_up(self) -> None:
        texts = self._names.texts
        if len(self._lower) == len(texts.data):
            return
        begin = len(self._lower)
        new = texts.data[begin:].lower()  # bytes: as long as before, so places are the same in both
        self._lower += new
        self._words.update(_WORD.findall(new))

    def find(self, text: str, *, accept: Callable[[int], bool], limit: int) -> list[Hit]:
        """The best hits among nodes that `accept` takes, at most `limit`; the shorter name first of two alike.

        Raises UnavailableError: the library that finds what is similar is not installed.
        """
        self._keep_up()
        wanted = text.strip().lower().encode("utf-8", "replace").replace(b"\n", b"")
        if not wanted:
            return []
        best: dict[int, Hit] = {}
        starts = self._names.texts.starts
        for place in self._places(wanted):
            position = bisect_right(starts, place) - 1
            node = self._names.nodes.values[position]
            hit = Hit(node, self._rank(wanted, place, position), 100.0)
            if (node not in best or hit.rank < best[node].rank) and accept(node):
                best[node] = hit
                if len(best) >= _MOST_HITS:
                    break
        if len(best) < limit:
            for word, score in self._similar(wanted):
                for place in self._places(word):
                    node = self._names.nodes.values[bisect_right(starts, place) - 1]
                    if node not in best and accept(node):
                        best[node] = Hit(node, 4, score)
                    if len(best) >= _MOST_HITS:
                        break
        # Of many hits, only those that may be shown are named: reading a name costs more than ranking it.
        ordered = sorted(best.values(), key=lambda hit: (hit.rank, -hit.score, self._length(hit.node), hit.node))
        return ordered[:limit]

    def _length(self, node: int) -> int:
        return len(self._names[node].name)

    def _places(self, wanted: bytes) -> Iterator[int]:
        """Where it stands; the whole names and beginnings first, since the scan may be cut short."""
        for pattern, offset in ((b"\n" + wanted, 1), (wanted, 0)):
            place = self._lower.find(pattern)
            while place >= 0:
                yield place + offset
                place = self._lower.find(pattern, place + 1)

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
        choices = {word: word.decode("utf-8", "replace") for word in self._words if abs(len(word) - len(longest)) < 3}
        found = process.extract(
            longest.decode("utf-8", "replace"),
            choices,
            scorer=fuzz.ratio,
            score_cutoff=_LIKE_ENOUGH,
            limit=_MOST_WORDS,
        )
        return [(word, score) for _, score, word in found if word != wanted]
