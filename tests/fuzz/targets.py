"""Every parser of foreign bytes that is fuzzed, by name."""

import ledger_targets
import outside_targets
from target import KIB, TARGETS, Target

__all__ = ["KIB", "TARGETS", "Target", "ledger_targets", "outside_targets"]
