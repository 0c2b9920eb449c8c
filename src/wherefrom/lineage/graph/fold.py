"""The fold: what an owner's lineage is after one more observation. Pure; what order means stands here alone.

An owner is a job, or a data set that says itself what it is made from. Its lineage at an instant is a few members, each
the shape of one run or of one event without a run. Observations are taken in order of valid time, then of entry:

    ADD       an event of a run that is under way, or that failed: its run's shape so far joins the others
    COMPLETE  a run is done: its shape, all its events together, replaces everything; unless they say nothing
    SAY       an event without a run replaces likewise
    DROP      a data set is deleted: what was said before no longer has it
    END       the job is deleted: nothing is left
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

ADD, COMPLETE, SAY, DROP, END = range(5)


class Member(NamedTuple):
    """Attributes: shape: its number; event: number of the event that gave it; since: microseconds since 1970."""

    shape: int
    event: int
    since: int


class Observation(NamedTuple):
    """Something said of an owner's lineage.

    Attributes:
        at: when it holds from, in microseconds since 1970; entry: of the statement.
        what: the event's shape; or the data set that a DROP is about.
        event: number of the event; -1 for a deletion.
    """

    at: int
    entry: int
    op: int
    run: int
    what: int
    event: int


class Shapes(Protocol):
    def merge(self, one: int, other: int) -> int: ...
    def same(self, one: int, other: int) -> bool: ...
    def contains(self, whole: int, part: int) -> bool: ...
    def drop(self, number: int, entity: int) -> int: ...


def step(shapes: Shapes, members: list[Member], seen: Observation, run_shape: int) -> list[Member]:
    """The members after an observation; those that stay are the same values.

    Args:
        run_shape: what the events of the observation's run say together, this one included; for SAY, the event.
    """
    if seen.op == END:
        return []
    if seen.op == DROP:
        left: dict[int, Member] = {}
        for member in members:
            rest = shapes.drop(member.shape, seen.what)
            if rest and not any(shapes.same(rest, other) for other in left):
                left[rest] = member if rest == member.shape else Member(rest, member.event, seen.at)
        return list(left.values())
    if not run_shape:
        return members
    same = next((member for member in members if shapes.same(member.shape, run_shape)), None)
    new = same or Member(run_shape, seen.event, seen.at)
    if seen.op != ADD:
        return [new]
    if same or any(shapes.contains(member.shape, run_shape) for member in members):
        return members
    return [member for member in members if not shapes.contains(run_shape, member.shape)] + [new]
