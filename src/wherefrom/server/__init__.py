"""Doors for other machines: ASGI applications over HTTP. They parse and answer; they decide nothing.

Each is in a module of its own, so that none loads what another needs: `log.make_app`, `witness.make_app`.
"""

__all__: list[str] = []
