"""The command line. Parses, asks, prints; decides nothing."""

from wherefrom.cli import asking, fingerprinting, health, proving, recording, records, verifying
from wherefrom.cli.app import app, main

__all__ = ["app", "asking", "fingerprinting", "health", "main", "proving", "recording", "records", "verifying"]
