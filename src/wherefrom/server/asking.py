"""What all questions share: who asks, as of when, about which node; and what each answer says of itself.

{"checkpoint": {"origin", "size", "root"}, "asOf", "validAt", "complete", "truncated", "pending", …}
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import numpy as np
import orjson
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import Field
from starlette.responses import Response

from wherefrom.errors import FormatError, NotFoundError
from wherefrom.ledger import parse_as_of, prove_entry
from wherefrom.lineage.graph import NEVER, Scope, time_text
from wherefrom.server.access.guard import Action, Guard, Principal
from wherefrom.server.parameters import REFUSED, Parameters
from wherefrom.statements import canonical_name, format_time, parse_time

if TYPE_CHECKING:
    from wherefrom.archive.live import Sight
    from wherefrom.server.admission import Admission
    from wherefrom.server.asker import Asker

MAX_NODES: Final = 5000
MAX_DEPTH: Final = 100
MAX_NAME: Final = 10_000
MAX_PROOFS: Final = 1000
_MOST_SPLITS: Final = 100
_MOST_CALLERS: Final = 1000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TYPES: Final = ("dataset", "job", "run")
Form = TypeVar("Form", bound="Asked")

Depth = Annotated[int, Field(ge=0, le=MAX_DEPTH, description="Steps from data to data.")]
MaxNodes = Annotated[int, Field(ge=1, le=MAX_NODES)]
Proof = Annotated[bool, Field(description="Add inclusion proofs of the statements the answer rests on.")]


class Asked(Parameters):
    """What every question may say: as of when."""

    as_of: Annotated[
        str | None,
        Field(max_length=64, description="As recorded then: an entry's index, a time (RFC 3339), or a day."),
    ] = None


class AskedThen(Asked):
    """A question about one time of those it is known of."""

    valid_at: Annotated[
        str | None, Field(max_length=64, description="What was so at that time, by the events' own times.")
    ] = None


class NodeAsked(Parameters):
    """Which node a question is about."""

    node: Annotated[
        str | None,
        Field(max_length=MAX_NAME, description="`dataset:NAMESPACE:NAME`, `job:NAMESPACE:NAME` or `run:ID`."),
    ] = None
    type: Annotated[str, Field(pattern="^(dataset|job)$", description="Together with `namespace` and `name`.")] = (
        "dataset"
    )
    namespace: Annotated[str | None, Field(max_length=MAX_NAME)] = None
    name: Annotated[str | None, Field(max_length=MAX_NAME)] = None


class Question:
    """One question, while the graph and a snapshot of the database are at hand.

    Attributes:
        size: what it is answered as of.
        valid_at: microseconds since 1970; None for whatever was said.
    """

    def __init__(self, sight: Sight, seen: Seen, caller: Principal, asked: Asked) -> None:
        """As the caller put it. Raises FormatError, NotFoundError."""
        self.sight, self.caller = sight, caller
        self.graph, self.renderer = sight.graph, sight.renderer
        self._seen = seen
        self.valid_at: int | None = None
        if isinstance(asked, AskedThen) and asked.valid_at is not None:
            self.valid_at = (parse_time(asked.valid_at, what="validAt") - _EPOCH) // timedelta(microseconds=1)
        self.size = sight.size if asked.as_of is None else self.parse_as_of(asked.as_of)
        self.scope = self._scope(self.size, self.valid_at)

    def parse_as_of(self, text: str) -> int:
        """A tree size. Raises FormatError, NotFoundError."""
        return parse_as_of(self.sight.ledger, text, size=self.sight.size)

    def _scope(self, as_of: int, valid_at: int | None) -> Scope:
        seen = self._seen.by(self.caller, self.graph.names.namespaces)
        return Scope(as_of, NEVER - 1 if valid_at is None else valid_at, seen)

    def as_of(self, size: int) -> Scope:
        """The same scope as of another size."""
        return Scope(min(size, self.sight.size), self.scope.valid_at, self.scope.seen)

    def may_see(self, namespace: str) -> bool:
        return self._seen.guard.may(self.caller, Action.READ, namespace)

    # --- nodes -------------------------------------------------------------------------------------------------------

    def find_asked(self, asked: NodeAsked) -> int:
        """The node that the caller means. Raises as `find_node`."""
        if asked.node is not None:
            return self.find_node(asked.node)
        if asked.namespace is None or asked.name is None:
            raise FormatError("a node is named by `node`, or by `namespace` and `name`")
        found = self._find(asked.type, asked.namespace, asked.name)
        return _require(found, f"{asked.type} {asked.name[:200]!r} of namespace {asked.namespace[:200]!r}")

    def find_node(self, text: str) -> int:
        """The node with this id. Raises NotFoundError, likewise for one that the caller may not see; FormatError."""
        kind, _, rest = text.partition(":")
        if kind not in _TYPES or not rest:
            raise FormatError(f"node {text[:200]!r}: expected dataset:NAMESPACE:NAME, job:NAMESPACE:NAME or run:ID")
        if kind == "run":
            return self._find_run(rest)
        return _require(self._find_split(kind, rest), f"{kind} {rest[:400]!r}")

    def _find_split(self, type_: str, rest: str) -> int | None:
        """Namespaces have colons, and so may names: whichever split names something."""
        at = rest.find(":")
        for _ in range(_MOST_SPLITS):
            if at < 0:
                break
            if (found := self._find(type_, rest[:at], rest[at + 1 :])) is not None:
                return found
            at = rest.find(":", at + 1)
        return None

    def _find(self, type_: str, namespace: str, name: str) -> int | None:
        names = self.graph.names
        found = names.find(namespace, name, jobs=type_ == "job")
        if found is None and type_ == "dataset":
            other = canonical_name(namespace, name)
            found = names.find(other.namespace, other.name, jobs=False)
        if found is None or names[found].entry >= self.size or not self.is_seen(found):
            return None
        return found

    def is_seen(self, node: int) -> bool:
        return self.scope.seen is None or bool(self.scope.seen[self.graph.names.namespace.values[node]])

    def _find_run(self, run_id: str) -> int:
        """The run's job, as it was when the run spoke last."""
        row = self.find_run(run_id)
        job = None if row is None else self._find("job", row.job_namespace, row.job_name)
        if row is None or job is None:
            raise NotFoundError(f"no run {run_id[:100]!r}")
        if self.valid_at is None and (last := self.graph.eras.last_of_run(row.id, as_of=self.size)) is not None:
            self.valid_at = last
            self.scope = self._scope(self.size, last)
        return job

    def find_run(self, run_id: str) -> Any:
        """The row of a run; None when there is none. Whether it may be seen is the caller's to look at."""
        if not run_id.isprintable():  # no database takes it
            return None
        rows = self.sight.lineage.find_runs(run_id.lower(), as_of=self.size)
        return next((row for row in rows if row.run_id == run_id.lower()), None)

    # --- answers -----------------------------------------------------------------------------------------------------

    def head(self, *, truncated: str | None = None, hidden: int = 0, as_of: int | None = None) -> dict[str, Any]:
        """What the answer says of itself."""
        checkpoint = self.sight.checkpoint
        return {
            "checkpoint": {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex()},
            "asOf": (self.size if as_of is None else as_of) - 1,
            "validAt": None if self.valid_at is None else _time_text(self.valid_at),
            "complete": truncated is None and not hidden,
            "truncated": truncated,
            "pending": 0,
            "opaque": hidden,
        }

    def prove(self, eras: Sequence[int], entries: Sequence[int] = ()) -> dict[str, Any]:
        """The statements that eras rest on, each with its id and inclusion proof, and the signed checkpoint."""
        behind = set(entries)
        for era in eras:
            behind.update(self.graph.eras.entries_behind(era, as_of=self.size))
        size = self.sight.checkpoint.size
        stored = self.sight.ledger.read_entries(sorted(behind)[:MAX_PROOFS])
        proofs = [
            {
                "index": one.index,
                "statementId": one.leaf_hash.hex(),
                "proof": [part.hex() for part in prove_entry(self.sight.ledger, index=one.index, size=size)],
            }
            for one in stored
        ]
        return {"proofs": proofs, "proofsLeftOut": max(0, len(behind) - MAX_PROOFS), "note": self.sight.note.decode()}


class Seen:
    """Remembers which namespaces each caller may see. For one thread."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self._known: dict[Principal, tuple[int, int, Any]] = {}

    def by(self, caller: Principal, namespaces: Sequence[str]) -> Any:
        """Whether the caller may see each namespace, by number; None for all of them."""
        size, count = self.guard.access.now().size, len(namespaces)
        known = self._known.get(caller)
        if known is None or known[:2] != (size, count):
            seen = np.array([self.guard.may(caller, Action.READ, name) for name in namespaces], np.bool_)
            known = (size, count, None if seen.all() else seen)
            if len(self._known) >= _MOST_CALLERS:
                self._known.clear()
            self._known[caller] = known
        return known[2]


def add_question(
    router: APIRouter, path: str, form: type[Form], tell: Callable[[Question, Form], Response], summary: str
) -> None:
    """Have a router answer a question: `tell` does, in the thread that has the graph.

    The sender needs READ in some namespace; see `Asker.ask` for what else is raised.
    """

    async def handle(request: Request) -> Response:
        state = request.app.state
        asked = form.of(request)
        admission: Admission = state.admission
        caller = await admission.principal_of(request)
        await admission.ask(lambda: state.guard.require_any(caller, Action.READ))
        asker: Asker = state.asker
        return await asker.ask(lambda sight: tell(Question(sight, state.seen, caller, asked), asked))

    router.add_api_route(
        path,
        handle,
        name=tell.__name__,
        summary=summary,
        response_class=JSONResponse,
        responses=REFUSED,
        openapi_extra={"x-wherefrom-action": "read", "parameters": form.describe()},
    )


def _require(found: int | None, said: str) -> int:
    if found is None:
        raise NotFoundError(f"no {said}", hint="/v1/search finds names")
    return found


def answer(head: dict[str, Any], **members: bytes | list[bytes]) -> Response:
    """The head and more members as one JSON object; those are JSON already: a value, or the items of an array."""
    parts = [orjson.dumps(head)[:-1]]
    for name, value in members.items():
        parts.append(b',"%b":' % name.encode())
        parts += [b"[", b",".join(value), b"]"] if isinstance(value, list) else [value]
    parts.append(b"}")
    return Response(b"".join(parts), media_type="application/json")


def answer_value(value: dict[str, Any]) -> Response:
    return Response(orjson.dumps(value), media_type="application/json")


def _time_text(at: int) -> str:
    try:
        return time_text(at)
    except OverflowError:
        return format_time(datetime.max.replace(tzinfo=UTC))
