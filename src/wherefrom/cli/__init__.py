"""The command line. Parses, asks, prints; decides nothing."""

from wherefrom.cli import asking, health, proving, recording
from wherefrom.cli.app import app, main

__all__ = ["app", "asking", "health", "main", "proving", "recording"]
