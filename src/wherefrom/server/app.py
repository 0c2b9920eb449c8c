"""The server of an archive: one ASGI application, put together from routers that each know one matter.

Beside the routers it has what they share, in `app.state`: archive, settings, guard, intake, live, metrics, asker.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final, cast

from wherefrom.errors import WherefromError
from wherefrom.server.errors import answer_error, from_status
from wherefrom.server.logs import log
from wherefrom.server.running import require_extra
from wherefrom.version import __version__

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from wherefrom.archive import Archive
    from wherefrom.server.settings import Settings

DESCRIPTION: Final = """\
What every model and table was made from, live, and provable. Tokens go into `Authorization: Bearer …`.

`x-wherefrom-action` says for each route what the caller must be allowed to do: `public` nothing, `read`, `write`,
`steward`, `audit` or `administer`. Names that the caller may not see are answered as if they were not there.
"""


def make_app(archive: Archive, settings: Settings | None = None) -> FastAPI:
    """The application. Its lifespan's end, or `close_app`, finishes what was accepted and stops its threads.

    Raises UnavailableError without the extra `server`.
    """
    require_extra()
    from fastapi import FastAPI

    from wherefrom.archive.live import live_graph
    from wherefrom.server import acts, entities, health, intake, live, marquez, proofs, questions, statements
    from wherefrom.server.access import login, routes
    from wherefrom.server.access.oidc import read_provider
    from wherefrom.server.admission import Admission, NotingGuard
    from wherefrom.server.asker import Asker
    from wherefrom.server.asking import Seen
    from wherefrom.server.gate import Gate
    from wherefrom.server.intake_queue import IntakeQueue
    from wherefrom.server.readers import Readers
    from wherefrom.server.settings import Settings

    settings = settings or Settings()
    app = FastAPI(
        title="Wherefrom",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,  # its pages load scripts from elsewhere
        redoc_url=None,
        lifespan=_lifespan,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    state: Any = app.state
    state.archive, state.settings = archive, settings
    state.metrics = health.Metrics()
    state.readiness = health.Readiness(archive)
    state.guard = NotingGuard(archive, policies=settings.policies, provider=read_provider(settings))
    state.admission = Admission(state.guard)
    state.readers = Readers(archive.folder, settings)
    state.intake = IntakeQueue(archive, settings=settings, metrics=state.metrics)
    state.live = live.LiveEntries(archive, settings=settings, metrics=state.metrics)
    state.graph = live_graph(archive)
    state.asker, state.seen = Asker(state.graph), Seen(state.guard)
    for module in (health, intake, statements, proofs, acts, live, questions, entities, marquez):
        app.include_router(module.make_router())
    app.include_router(login.router)
    app.include_router(routes.router)
    _handle_errors(app)
    if settings.cors_origins:
        from starlette.middleware.cors import CORSMiddleware

        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Content-Encoding", "Last-Event-ID", "X-Request-Id"],
            expose_headers=["X-Request-Id", "X-Wherefrom-Marks", "X-Wherefrom-Statement", "Retry-After"],
            max_age=600,
        )
    app.add_middleware(Gate, settings=settings, metrics=state.metrics)  # added last, so outermost
    return app


def begin_stopping(app: FastAPI) -> None:
    """Called on the event loop when no more connections are taken: ends the answers that have no end."""
    app.state.readiness.is_stopping = True
    app.state.live.close()


def close_app(app: FastAPI) -> None:
    """Record all that was accepted, and stop the threads. The archive stays open: who opened it closes it."""
    begin_stopping(app)
    app.state.intake.close()
    app.state.readers.close()
    app.state.asker.close()
    app.state.graph.close()
    app.state.guard.close()


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    from starlette.concurrency import run_in_threadpool

    app.state.graph.keep_up()
    app.state.readers.start()
    try:
        yield
    finally:
        begin_stopping(app)
        await run_in_threadpool(close_app, app)
        log("stopped", entries=await run_in_threadpool(app.state.archive.size))


def _handle_errors(app: FastAPI) -> None:
    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException

    @app.exception_handler(WherefromError)
    async def ours(request: Request, given: Exception) -> Response:
        error = cast("WherefromError", given)
        answer = answer_error(error, _request_id(request))
        if answer.status_code >= 500:
            log("failed", level=logging.WARNING, requestId=_request_id(request), problem=str(error))
        return answer

    @app.exception_handler(HTTPException)
    async def of_the_framework(request: Request, given: Exception) -> Response:
        error = cast("HTTPException", given)
        return answer_error(from_status(error.status_code, error.detail, error.headers), _request_id(request))

    @app.exception_handler(RequestValidationError)
    async def of_parameters(request: Request, given: Exception) -> Response:
        error = cast("RequestValidationError", given)
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in error.errors()[:10]
        )
        return answer_error(from_status(422, problems), _request_id(request))


def _request_id(request: Request) -> str:
    return str(request.scope.get("state", {}).get("request_id", ""))
