"""What was observed of one owner from an instant on, in order of time, and what held after each: for what comes late.

What comes late, or is taken back, changes what held until an observation after which all is as it was. Nothing beyond
that is folded again, so many that come late, one after the other, cost little more than as many that come in order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from wherefrom.lineage.graph.fold import ADD, COMPLETE, DROP, END, Member, Observation, Shapes, step
from wherefrom.lineage.graph.names import NEVER

_MIN_IDLE: Final = 1000

Members = tuple[Member, ...]
Moment = tuple[int, int]
"""Valid time and entry: observations are in order of both."""
ShapeBefore = Callable[[int, Moment], int]
"""What a run's events from before a moment say together."""


@dataclass(frozen=True)
class Change:
    """What a change makes of an owner's eras, each a member and when it ends.

    Attributes:
        gone: those that were and are no more; new: those that are now.
        going_on: what has no end now; None when that is as it was.
    """

    gone: list[tuple[Member, int]]
    new: list[tuple[Member, int]]
    going_on: Members | None


class History:
    """One owner's, from the instant `start` on.

    Attributes:
        earlier: the latest instant of what was observed before `start`.
        eras: that are not closed, by the event and the beginning of their members: a shape may have two numbers.
    """

    def __init__(self, shapes: Shapes, start: int, earlier: int, before: Members) -> None:
        """`before` is what held just before `start`."""
        self._shapes, self._before = shapes, before
        self.start, self.earlier = start, earlier
        self._observed: list[Observation] = []
        # Of those observations after which something else held than before: these, and what held then.
        self._turns: list[Observation] = []
        self._states: list[Members] = []
        self._last_drop: Observation | None = None
        self.eras: dict[tuple[int, int], int] = {}
        self._idle = 0

    def __len__(self) -> int:
        """How many observations it has."""
        return len(self._observed)

    def fold(self, observed: Sequence[Observation], shape_before: ShapeBefore) -> None:
        """Take all that was observed from `start` on, in order."""
        run_shape_of = _RunShapes(self._shapes, (self.start, -1), shape_before)
        for seen in observed:
            self.append(seen, self._step(self._state(), seen, run_shape_of(seen)))
        self._idle = 0

    def append(self, seen: Observation, after: Members) -> bool:
        """Something came in order; whether it is worth while to remember all this any longer."""
        self._observed.append(seen)
        if after != self._state():
            self._turns.append(seen)
            self._states.append(after)
        self._note_drop(seen)
        self._idle += 1
        return self._idle <= max(_MIN_IDLE, len(self._observed) // 2)

    def change(self, seen: Observation, *, is_gone: bool, last: Moment, shape_before: ShapeBefore) -> Change:
        """Something came late, or is gone.

        Args:
            last: when its run spoke last: until then, what the run's events say together may be something else.
        """
        self._idle = 0
        self.start = min(self.start, seen.at)
        place, low = bisect_left(self._observed, seen), bisect_left(self._turns, seen)
        before = old = new = self._states[low - 1] if low else self._before
        high, was, now = low, _Window(before), _Window(before)
        if is_gone:
            del self._observed[place]
            if high < len(self._turns) and self._turns[high] == seen:
                old, high = was.take(seen, self._states[high]), high + 1
        else:
            self._observed.insert(place, seen)
            self._note_drop(seen)
        # An event comes before the deletions that it says itself.
        begin = seen.at, seen.entry + (seen.op in (DROP, END))
        run_shape_of = _RunShapes(self._shapes, begin, shape_before)
        is_as_before = is_gone and self._goes_on_alike(old, new, seen, last)
        while not is_as_before and place < len(self._observed):
            one = self._observed[place]
            if high < len(self._turns) and self._turns[high] == one:
                old, high = was.take(one, self._states[high]), high + 1
            new = now.take(one, self._step(new, one, run_shape_of(one)))
            is_as_before = self._goes_on_alike(old, new, one, last)
            place += 1
        self._turns[low:high], self._states[low:high] = now.turns, now.states
        if is_as_before:
            goes_on = self._rename(low + len(now.states), old, new, was, now)
        else:
            was.end(NEVER, old)
            now.end(NEVER, new)
            goes_on = False
        return Change(
            [one for one in was.ended if one not in now.ended],
            [one for one in now.ended if one not in was.ended],
            None if goes_on else self._state(),
        )

    def _state(self) -> Members:
        return self._states[-1] if self._states else self._before

    def _note_drop(self, seen: Observation) -> None:
        if seen.op == DROP:
            self._last_drop = max(self._last_drop or seen, seen)

    def _goes_on_alike(self, old: Members, new: Members, seen: Observation, last: Moment) -> bool:
        """Whether what follows an observation does the same to two states, but for whence their members come.

        It looks at members' shapes alone; only what a deleted data set leaves of one keeps its event.
        """
        if (seen.at, seen.entry) < last:
            return False
        if self._last_drop and seen < self._last_drop:
            return old == new
        return [member.shape for member in old] == [member.shape for member in new]

    def _rename(self, place: int, old: Members, new: Members, was: _Window, now: _Window) -> bool:
        """Put new members in the place of old ones, as long as these go on; whether what goes on now did before."""
        names = {one: other for one, other in zip(old, new, strict=True) if one != other}
        while names and place < len(self._states):
            state, at = self._states[place], self._turns[place].at
            for member in [member for member in names if member not in state]:
                was.end(at, [member])
                now.end(at, [names.pop(member)])
            self._states[place] = tuple(names.get(member, member) for member in state)
            place += 1
        for one, other in names.items():
            was.end(NEVER, [one])
            now.end(NEVER, [other])
        return not names

    def _step(self, members: Members, seen: Observation, run_shape: int) -> Members:
        given = list(members)
        after = step(self._shapes, given, seen, run_shape)
        return members if after is given else tuple(after)


class _Window:
    """States, one after the other, and what ended in them."""

    def __init__(self, state: Members) -> None:
        self._state = state
        self.turns: list[Observation] = []
        self.states: list[Members] = []
        self.ended: dict[tuple[Member, int], None] = {}

    def take(self, seen: Observation, state: Members) -> Members:
        if state != self._state:
            self.end(seen.at, [member for member in self._state if member not in state])
            self.turns.append(seen)
            self.states.append(state)
            self._state = state
        return state

    def end(self, at: int, members: Iterable[Member]) -> None:
        """What began and ended at one instant never held."""
        self.ended.update(((member, at), None) for member in members if member.since < at)


class _RunShapes:
    """What the events of an observation's run say together, for one observation after the other."""

    def __init__(self, shapes: Shapes, begin: Moment, shape_before: ShapeBefore) -> None:
        self._shapes, self._begin, self._shape_before = shapes, begin, shape_before
        self._known: dict[int, int] = {}

    def __call__(self, seen: Observation) -> int:
        if seen.op not in (ADD, COMPLETE):
            return seen.what
        if seen.run not in self._known:
            self._known[seen.run] = self._shape_before(seen.run, self._begin)
        self._known[seen.run] = self._shapes.merge(self._known[seen.run], seen.what)
        return self._known[seen.run]
