"""Marquez's read API, so that its Python client and its web pages work with an archive: docs/marquez.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import APIRouter


def make_router() -> APIRouter:
    """All routes of Marquez's read API, and clear answers to its writes."""
    from fastapi import APIRouter

    from wherefrom.server.marquez import (
        column_lineage,
        datasets,
        events,
        jobs,
        lineage,
        namespaces,
        search,
        stats,
        tags,
        upstream,
        writes,
    )

    router = APIRouter()
    for module in (namespaces, datasets, jobs, lineage, column_lineage, upstream, events, search, stats, tags, writes):
        router.include_router(module.router)
    return router
