"""What every route asks for: the guard, and who is asking."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends, Request

from wherefrom.server.access.guard import Guard, Principal


async def guard(request: Request) -> Guard:
    """The guard of this application, from `app.state.guard`."""
    return cast("Guard", request.app.state.guard)


def principal(request: Request) -> Principal:
    """Who asks. Raises Unauthenticated. It may read the ledger, so it is run in a thread."""
    return cast("Guard", request.app.state.guard).principal_of(request)


TheGuard = Annotated[Guard, Depends(guard)]
Caller = Annotated[Principal, Depends(principal)]
