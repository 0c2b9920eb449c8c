"""What a target of fuzzing is: a parser of foreign bytes, and the law for what it reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from wherefrom.errors import FormatError

KIB = 1 << 10


Law = Callable[[bytes, Any], None]


@dataclass(frozen=True)
class Target:
    """A parser to fuzz.

    Attributes:
        reads: the parser; an exception not in `raises` is a bug.
        law: given the bytes and what was read, raises when it does not hold; whatever it raises is a bug.
        most: bytes of an input, at most.
        cost: how much longer than the cheapest one execution takes, roughly; campaigns give it fewer executions.
    """

    name: str
    reads: Callable[[bytes], Any]
    law: Law
    seeds: Callable[[], list[bytes]]
    raises: tuple[type[Exception], ...]
    most: int
    cost: int

    def try_(self, data: bytes) -> bool:
        """Whether the input was read; what is not documented, and a law that does not hold, come through."""
        try:
            value = self.reads(data)
        except self.raises:
            return False
        try:
            self.law(data, value)
        except Exception as error:
            raise AssertionError(f"{self.name}: the law does not hold: {type(error).__name__}: {error}") from error
        return True


TARGETS: dict[str, Target] = {}


def target(
    reads: Callable[[bytes], Any],
    seeds: Callable[[], list[bytes]],
    *,
    raises: Sequence[type[Exception]] = (FormatError,),
    most: int = 4 * KIB,
    cost: int = 1,
) -> Callable[[Law], Law]:
    def add(law: Law) -> Law:
        TARGETS[law.__name__] = Target(law.__name__, reads, law, seeds, tuple(raises), most, cost)
        return law

    return add


def text(parse: Callable[[str], Any]) -> Callable[[bytes], Any]:
    """A parser of text, fed as a caller may have it from anywhere: bytes that are not UTF-8 become lone surrogates."""
    return lambda data: parse(data.decode("utf-8", "surrogateescape"))


def written(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def same(data: bytes) -> bytes:
    """For what takes any bytes and raises nothing, so that all is the law's."""
    return data
