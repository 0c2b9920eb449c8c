"""Doors for other machines: ASGI applications over HTTP. They parse and answer; they decide nothing."""
