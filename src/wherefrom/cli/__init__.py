"""The command line. Parses, asks, prints; decides nothing."""

from wherefrom.cli import (
    anchoring,
    asking,
    erasing,
    fingerprinting,
    health,
    keeping,
    keys,
    proving,
    publishing,
    recording,
    records,
    verifying,
    witnessing,
)
from wherefrom.cli.app import app, main

__all__ = [
    "anchoring",
    "app",
    "asking",
    "erasing",
    "fingerprinting",
    "health",
    "keeping",
    "keys",
    "main",
    "proving",
    "publishing",
    "recording",
    "records",
    "verifying",
    "witnessing",
]
