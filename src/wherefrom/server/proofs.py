"""What a stranger checks over HTTP: `/v1/checkpoint`, `/v1/proof`, `/v1/consistency`.

Nothing of the server has to be believed: the checkpoint is signed, and proofs lead to it (RFC 9162, section 2.1).
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from wherefrom.archive import Archive
from wherefrom.errors import FormatError, NotFoundError
from wherefrom.ledger import prove_entry
from wherefrom.ledger.log import tile_reader
from wherefrom.merkle import prove_consistency_from_tiles, root_from_tiles
from wherefrom.notes import open_checkpoint
from wherefrom.server.access.depends import Caller, TheGuard
from wherefrom.server.access.guard import Action
from wherefrom.server.statements import READ, Eyes, read_visible
from wherefrom.store import LedgerTables

Size = Annotated[
    int | None, Query(ge=0, lt=2**53, description="Of the tree; that of the newest checkpoint by default.")
]


def make_router() -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["proofs"])

    @router.get(
        "/checkpoint",
        openapi_extra=READ,
        summary="The newest signed checkpoint",
        description="A C2SP signed note; as JSON, with what it says, for who asks for `Accept: application/json`.",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}, "application/json": {}}}},
    )
    def checkpoint(request: Request, guard: TheGuard, caller: Caller) -> Response:
        guard.require_any(caller, Action.READ)
        archive: Archive = request.app.state.archive
        read, note = archive.checkpoint()
        if "application/json" not in request.headers.get("accept", ""):
            return Response(note, media_type="text/plain; charset=utf-8")
        said = {"origin": read.origin, "size": read.size, "root": read.root.hex(), "note": note.decode()}
        return JSONResponse(said, headers={"Vary": "Accept"})

    @router.get("/proof", openapi_extra=READ, summary="That a statement is in the ledger")
    def prove(
        request: Request,
        guard: TheGuard,
        caller: Caller,
        statement: Annotated[
            str | None, Query(max_length=64, description="A statement's id, or the beginning.")
        ] = None,
        index: Annotated[int | None, Query(ge=0, lt=2**53)] = None,
        size: Size = None,
    ) -> dict[str, Any]:
        guard.require_any(caller, Action.READ)
        if (statement is None) == (index is None):
            raise FormatError("proof: name either a statement or an index")
        archive: Archive = request.app.state.archive
        recorded = read_visible(archive, Eyes(guard, caller), str(index) if statement is None else statement)
        with archive.reading() as (tables, _):
            newest = open_checkpoint(note := tables.read_checkpoint(), [archive.log_key])
            at = _size_in(size, tables)
            if at <= recorded.index:
                raise FormatError(f"proof: a tree of {at} entries has no entry {recorded.index}")
            [stored] = tables.read_entries([recorded.index])
            path = prove_entry(tables, index=recorded.index, size=at)
            root = newest.root if at == newest.size else root_from_tiles(at, tile_reader(tables))
            signed = note.decode() if at == newest.size else _find_note(tables, at)
        return {
            "origin": archive.origin,
            "index": recorded.index,
            "statementId": recorded.statement_id,
            "entry": stored.entry.decode(),
            "size": at,
            "root": root.hex(),
            "proof": [one.hex() for one in path],
            "checkpoint": signed,
        }

    @router.get("/consistency", openapi_extra=READ, summary="That a later tree holds an earlier one unchanged")
    def prove_consistency(
        request: Request,
        guard: TheGuard,
        caller: Caller,
        old: Annotated[int, Query(alias="from", ge=0, lt=2**53, description="The earlier tree's size.")],
        new: Annotated[int | None, Query(alias="to", ge=0, lt=2**53, description="The later one's.")] = None,
    ) -> dict[str, Any]:
        guard.require_any(caller, Action.READ)
        archive: Archive = request.app.state.archive
        with archive.reading() as (tables, _):
            to = _size_in(new, tables)
            old = _size_in(old, tables)
            if old > to:
                raise FormatError(f"consistency: from {old} is above to {to}")
            read = tile_reader(tables)
            return {
                "origin": archive.origin,
                "from": {"size": old, "root": root_from_tiles(old, read).hex()},
                "to": {"size": to, "root": root_from_tiles(to, read).hex()},
                "proof": [one.hex() for one in prove_consistency_from_tiles(old, to, read)],
            }

    return router


def _size_in(asked: int | None, tables: LedgerTables) -> int:
    size = tables.size()
    if asked is not None and asked > size:
        raise NotFoundError(f"no tree of {asked} entries: the ledger has {size}")
    return size if asked is None else asked


def _find_note(tables: LedgerTables, size: int) -> str | None:
    """The signed checkpoint of just this size, if one was signed."""
    try:
        return tables.read_checkpoint(size).decode()
    except NotFoundError:
        return None
