"""Each owner's observations, and the eras that they fold into, on both axes of time.

An era is one shape of one owner, and holds at valid time T as of N entries iff

    t_from <= T and e_from < N and not (t_next <= T and e_next < N) and N <= e_close

Events that come in order open an era, and end others by setting `t_next` and `e_next`: where they end, on both axes.
What comes late at entry X, or is taken back there, changes what held from some instant on: eras are closed for N > X,
and others opened from X, of a fold over all that is known then. So no answer as of an earlier entry ever changes.
"""

from __future__ import annotations

import functools
from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice

from wherefrom.lineage.graph.arrays import Column
from wherefrom.lineage.graph.edges import Edges
from wherefrom.lineage.graph.fold import ADD, COMPLETE, DROP, SAY, Member, Observation, step
from wherefrom.lineage.graph.history import History, Moment
from wherefrom.lineage.graph.names import NEVER
from wherefrom.lineage.graph.shapes import ShapeBook

BEGINNING = -(2**62)
"""Before every instant."""
MAX_REMEMBERED = 500_000
"""Observations of owners of whom something came late, some 400 bytes each; those forgotten are read anew."""


class Timelines:
    """Events and eras by number. An owner is a node; a run is its id in the view."""

    def __init__(self, shapes: ShapeBook, edges: Edges) -> None:
        self._shapes = shapes
        self._edges = edges
        # Of each event. `before` is the one before it of its owner; `newest` the latest instant among it and those.
        self.event_entry = Column("q")
        self._event_at = Column("q")
        self._event_newest = Column("q")
        self._event_run = Column("i")
        self._event_op = Column("b")
        self.event_shape = Column("i")
        self._event_before = Column("i")
        self._event_owner = Column("i")
        self.event_before_of_run = Column("i")
        self._taken_back: dict[int, int] = {}  # and by which entry
        # Of each owner: its last event, its latest instant, the first of its eras that go on, the last that ended.
        self._last_event = Column("i")
        self._newest = Column("q")
        self._going_on = Column("i")
        self._last_ended = Column("i")
        self._deletions: dict[int, list[Observation]] = {}
        # Of each run: its last event, and what its events say together.
        self.run_event = Column("i")
        self._run_shape = Column("i")
        self._histories: dict[int, History] = {}  # of owners of whom something came late
        self._remembered = 0  # observations in them
        self._shared_runs: set[int] = set()  # that have events of several owners, which no producer should send
        # Of each era.
        self.owner = Column("i")
        self.shape = Column("i")
        self.event = Column("i")
        self.t_from = Column("q")
        self.e_from = Column("q")
        self.t_next = Column("q")
        self.e_next = Column("q")
        self.e_close = Column("q")
        self.holds_now = Column(
            "b"
        )  # neither ended nor closed: what all other columns say, for the question asked most
        self._next_going_on = Column("i")
        self._ended_before = Column("i")
        self._ended_newest = Column("q")

    def own(self) -> None:
        for column in vars(self).values():
            if isinstance(column, Column):
                column.own()

    def grow(self, nodes: int) -> None:
        """Make room for owners below this number."""
        self._last_event.grow(nodes, -1)
        self._newest.grow(nodes, BEGINNING)
        self._going_on.grow(nodes, -1)
        self._last_ended.grow(nodes, -1)

    # --- taking what is said -----------------------------------------------------------------------------------------

    def add_event(self, entry: int, owner: int, run: int, op: int, at: int, shape: int) -> None:
        """An event of entry `entry`, which is later than all before it."""
        if not shape and op != COMPLETE:
            return
        event = len(self.event_entry)
        before = self._last_event.values[owner]
        newest = self._newest.values[owner]
        if at < newest:
            history = self._history(owner, at)
            self._append_event(event, entry, owner, run, op, at, shape, before)
            if run:
                self._run_shape.values[run] = self._shapes.merge(self._run_shape.values[run], shape)
            self._change(owner, history, self._observation(event), entry)
            return
        self._append_event(event, entry, owner, run, op, at, shape, before)
        self._newest.values[owner] = at
        run_shape = shape
        if run:
            run_shape = self._run_shape.values[run] = self._shapes.merge(self._run_shape.values[run], shape)
            if run in self._shared_runs:
                run_shape = self._shape_before(owner, run, (NEVER, NEVER))
        first = self._going_on.values[owner]
        if first < 0:
            if run_shape:
                self._going_on.values[owner] = self._open(owner, Member(run_shape, event, at), entry)
        # By far the most frequent: the job says what it said.
        elif self._next_going_on.values[first] >= 0 or self.shape.values[first] != run_shape:
            self._advance(owner, self._observation(event), run_shape)
        if owner in self._histories:
            self._remember(owner, self._observation(event))

    def _append_event(
        self, event: int, entry: int, owner: int, run: int, op: int, at: int, shape: int, before: int
    ) -> None:
        self.event_entry.values.append(entry)
        self._event_at.values.append(at)
        self._event_newest.values.append(at if before < 0 else max(at, self._event_newest.values[before]))
        self._event_run.values.append(run)
        self._event_op.values.append(op)
        self.event_shape.values.append(shape)
        self._event_before.values.append(before)
        self._event_owner.values.append(owner)
        self._last_event.values[owner] = event
        if run >= len(self.run_event):
            self.run_event.grow(run + 1, -1)
            self._run_shape.grow(run + 1, 0)
        before = self.run_event.values[run] if run else -1
        self.event_before_of_run.values.append(before)
        if run:
            self.run_event.values[run] = event
            if before >= 0 and self._event_owner.values[before] != owner:
                self._shared_runs.add(run)

    def add_deletion(self, owner: int, seen: Observation) -> None:
        """A DROP or an END, by the entry that is the newest now."""
        self._take_deletion(owner, seen, seen.entry)

    def note_deletion(self, owner: int, seen: Observation, entry: int) -> None:
        """A deletion that was said before, of a data set that entry `entry` is the first to name for this owner."""
        if seen not in self._deletions.get(owner, ()):
            self._take_deletion(owner, seen, entry)

    def _take_deletion(self, owner: int, seen: Observation, entry: int) -> None:
        if seen.at <= self._newest.values[owner]:
            self._change(owner, self._history(owner, seen.at), seen, entry)
        else:
            self._newest.values[owner] = seen.at
            self._advance(owner, seen._replace(entry=entry), 0)
            if owner in self._histories:
                self._remember(owner, seen)
        self._deletions.setdefault(owner, []).append(seen)

    def take_back_deletion(self, owner: int, seen: Observation, entry: int) -> None:
        history = self._history(owner, seen.at)
        self._deletions[owner].remove(seen)
        self._change(owner, history, seen, entry, is_gone=True)

    def take_back_event(self, target: int, entry: int) -> int | None:
        """What entry `target` said counts no more from entry `entry` on. Gives its owner; None: no event of ours."""
        event = self._find_event(target)
        if event is None or event in self._taken_back:
            return None
        owner, run = self._event_owner.values[event], self._event_run.values[event]
        seen = self._observation(event)
        history = self._history(owner, seen.at)
        self._taken_back[event] = entry
        if run:
            shape = 0
            for other in self._run_events(self.run_event.values[run]):
                shape = self._shapes.merge(shape, self.event_shape.values[other])
            self._run_shape.values[run] = shape
        self._change(owner, history, seen, entry, is_gone=True)
        return owner

    def _find_event(self, entry: int) -> int | None:
        event = bisect_left(self.event_entry.values, entry)
        return event if event < len(self.event_entry) and self.event_entry.values[event] == entry else None

    # --- folding -----------------------------------------------------------------------------------------------------

    def _advance(self, owner: int, seen: Observation, run_shape: int) -> None:
        """One observation in order: the eras that it ends, and the one that it opens."""
        going_on = list(self._eras_going_on(owner))
        members = [self._member(era) for era in going_on]
        after = step(self._shapes, members, seen, run_shape)
        if after is members:
            return
        staying: list[int] = []
        for era, member in zip(going_on, members, strict=True):
            if member in after:
                staying.append(era)
            else:
                self._end(owner, era, seen.at, seen.entry)
        staying += [self._open(owner, member, seen.entry) for member in after if member not in members]
        self._set_going_on(owner, sorted(staying, key=self._moment_of))

    def _history(self, owner: int, start: int) -> History:
        """What was observed of an owner from an instant on, and is known so far."""
        history = self._forget(owner) if owner in self._histories else None
        # Where nothing was observed between `start` and where a history begins, it begins at `start` as well.
        if history is None or history.earlier >= start:
            # What began and ended at one instant never held.
            reaching = self._eras_reaching(owner, start)
            eras = [era for era in reaching if self.t_from.values[era] < self.t_next.values[era]]
            reached = sorted((era for era in eras if self.t_from.values[era] < start), key=self._moment_of)
            before = tuple(map(self._member, reached))
            observed, earlier = self._observed_from(owner, start)
            history = History(self._shapes, start, earlier, before)
            history.fold(sorted(observed), functools.partial(self._shape_before, owner))
            history.eras = {(self.event.values[era], self.t_from.values[era]): era for era in eras}
        self._histories[owner] = history
        self._remembered += len(history)
        while self._remembered > MAX_REMEMBERED and len(self._histories) > 1:
            self._forget(next(iter(self._histories)))  # the one that was needed longest ago
        return history

    def _forget(self, owner: int) -> History:
        history = self._histories.pop(owner)
        self._remembered -= len(history)
        return history

    def _remember(self, owner: int, seen: Observation) -> None:
        """Something that came in order, of an owner of whom something came late before."""
        going_on = tuple(map(self._member, self._eras_going_on(owner)))
        self._remembered += 1
        if not self._histories[owner].append(seen, going_on):
            self._forget(owner)

    def _change(self, owner: int, history: History, seen: Observation, entry: int, *, is_gone: bool = False) -> None:
        """Something came late, or is gone: other eras hold, for all that is asked as of after `entry`."""
        events = self._run_events(self.run_event.values[seen.run]) if seen.run else ()
        last = max(
            ((self._event_at.values[event], self.event_entry.values[event]) for event in events),
            default=(seen.at, seen.entry),
        )
        change = history.change(
            seen, is_gone=is_gone, last=last, shape_before=functools.partial(self._shape_before, owner)
        )
        self._remembered += -1 if is_gone else 1
        for member, _ in change.gone:
            era = history.eras.pop((member.event, member.since))
            self.e_close.values[era], self.holds_now.values[era] = entry, 0
        for member, end in change.new:
            era = self._open(owner, member, entry)
            if end < NEVER:
                self._end(owner, era, end, entry)
        if change.going_on is not None:
            self._set_going_on(owner, [history.eras[member.event, member.since] for member in change.going_on])

    def _observed_from(self, owner: int, start: int) -> tuple[list[Observation], int]:
        """What was observed from an instant on; and the latest instant of what was observed before."""
        found, earlier = [], BEGINNING
        event = self._last_event.values[owner]
        while event >= 0 and self._event_newest.values[event] >= start:
            at = self._event_at.values[event]
            if at < start:
                earlier = max(at, earlier)
            elif event not in self._taken_back:
                found.append(self._observation(event))
            event = self._event_before.values[event]
        if event >= 0:
            earlier = max(self._event_newest.values[event], earlier)
        for seen in self._deletions.get(owner, ()):
            if seen.at < start:
                earlier = max(seen.at, earlier)
            else:
                found.append(seen)
        return found, earlier

    def _observation(self, event: int) -> Observation:
        op, run, what = self._event_op.values[event], self._event_run.values[event], self.event_shape.values[event]
        return Observation(self._event_at.values[event], self.event_entry.values[event], op, run, what, event)

    def _run_events(self, event: int) -> Iterator[int]:
        """An event and those before it of the same run that were not taken back, the newest first."""
        while event >= 0:
            if event not in self._taken_back:
                yield event
            event = self.event_before_of_run.values[event]

    def _shape_before(self, owner: int, run: int, end: Moment) -> int:
        """What the events of a run, of this owner and from before a moment, say together."""
        shape = 0
        for event in self._run_events(self.run_event.values[run]):
            moment = self._event_at.values[event], self.event_entry.values[event]
            if self._event_owner.values[event] == owner and moment < end:
                shape = self._shapes.merge(shape, self.event_shape.values[event])
        return shape

    # --- eras --------------------------------------------------------------------------------------------------------

    def _member(self, era: int) -> Member:
        return Member(self.shape.values[era], self.event.values[era], self.t_from.values[era])

    def _moment_of(self, era: int) -> Moment:
        """When the event was that gave it: in this order the fold has members."""
        event = self.event.values[era]
        return self._event_at.values[event], event

    def _open(self, owner: int, member: Member, entry: int) -> int:
        era = len(self.owner)
        self.owner.values.append(owner)
        self.shape.values.append(member.shape)
        self.event.values.append(member.event)
        self.t_from.values.append(member.since)
        self.e_from.values.append(entry)
        for column in (self.t_next, self.e_next, self.e_close):
            column.values.append(NEVER)
        self.holds_now.values.append(1)
        self._next_going_on.values.append(-1)
        self._ended_before.values.append(-1)
        self._ended_newest.values.append(BEGINNING)
        self._edges.add(era, owner, self._shapes.flows(member.shape, owner))
        if owner in self._histories:
            self._histories[owner].eras[member.event, member.since] = era
        return era

    def _end(self, owner: int, era: int, end: int, entry: int) -> None:
        self.t_next.values[era], self.e_next.values[era], self.holds_now.values[era] = end, entry, 0
        before = self._last_ended.values[owner]
        self._ended_before.values[era] = before
        self._ended_newest.values[era] = end if before < 0 else max(end, self._ended_newest.values[before])
        self._last_ended.values[owner] = era

    def _eras_going_on(self, owner: int) -> Iterator[int]:
        era = self._going_on.values[owner]
        while era >= 0:
            yield era
            era = self._next_going_on.values[era]

    def _set_going_on(self, owner: int, eras: list[int]) -> None:
        following = -1
        for era in reversed(eras):
            self._next_going_on.values[era] = following
            following = era
        self._going_on.values[owner] = following

    def _eras_reaching(self, owner: int, start: int) -> Iterator[int]:
        """Eras not closed that hold at some instant from just before `start` on."""
        yield from self._eras_going_on(owner)
        era = self._last_ended.values[owner]
        while era >= 0 and self._ended_newest.values[era] >= start:
            if self.t_next.values[era] >= start and self.e_close.values[era] == NEVER:
                yield era
            era = self._ended_before.values[era]

    # --- asking ----------------------------------------------------------------------------------------------------

    def last_of_run(self, run: int, *, as_of: int) -> int | None:
        """When a run spoke last of its lineage, in microseconds since 1970; None when it never did."""
        event, last = self.run_event.values[run] if run < len(self.run_event) else -1, None
        while event >= 0:
            if self.event_entry.values[event] < as_of:
                last = max(self._event_at.values[event], BEGINNING if last is None else last)
            event = self.event_before_of_run.values[event]
        return last

    def entries_of(self, owner: int, *, most: int) -> list[int]:
        """The entries of an owner's newest events that may say something."""
        return [self.event_entry.values[event] for event in islice(self._events_of(owner), most)]

    def runs_of(self, owner: int, *, as_of: int, most: int) -> list[int]:
        """The runs of an owner's newest events."""
        runs: dict[int, None] = {}
        for event in self._events_of(owner):
            if self.event_entry.values[event] < as_of and (run := self._event_run.values[event]):
                runs[run] = None
                if len(runs) == most:
                    break
        return list(runs)

    def _events_of(self, owner: int) -> Iterator[int]:
        event = self._last_event.values[owner]
        while event >= 0:
            yield event
            event = self._event_before.values[event]

    def entries_behind(self, era: int, *, as_of: int) -> list[int]:
        """The entries an era's shape rests on: events of its run, up to the one that gave it, that say something."""
        event, owner = self.event.values[era], self.owner.values[era]
        at, run, found = self._event_at.values[event], self._event_run.values[event], []
        other = self.run_event.values[run] if run else event
        while other >= 0:
            entry = self.event_entry.values[other]
            counts = entry < as_of <= self._taken_back.get(other, NEVER) and self._event_owner.values[other] == owner
            if counts and self.event_shape.values[other] and (self._event_at.values[other], other) <= (at, event):
                found.append(entry)
            other = self.event_before_of_run.values[other]
        return sorted(found)


__all__ = ["ADD", "BEGINNING", "COMPLETE", "DROP", "SAY", "Timelines"]
