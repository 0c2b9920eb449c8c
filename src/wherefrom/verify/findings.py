"""What checking comes to: for each claim whether it is true, false, or could not be checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from wherefrom.errors import VerificationError, WherefromError


class Outcome(Enum):
    TRUE = "true"
    FALSE = "false"
    UNCHECKED = "could not check"


@dataclass(frozen=True)
class Finding:
    """One claim. `message` says what was found, or what does not match."""

    claim: str
    outcome: Outcome
    message: str


@dataclass
class Findings:
    """What became of each claim, in the order in which they were checked.

    Attributes:
        remarks: true things that a reader should know.
    """

    findings: list[Finding] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def outcome(self) -> Outcome:
        """False when any claim is; else could not check when any could not, or none was; true when every claim is."""
        outcomes = {finding.outcome for finding in self.findings} or {Outcome.UNCHECKED}
        return next((o for o in (Outcome.FALSE, Outcome.UNCHECKED) if o in outcomes), Outcome.TRUE)

    def check(self, claim: str) -> _Check:
        """Check a claim in a `with` block, which puts what it found into the list it gets.

        An error that the block raises makes the claim false or unchecked, and goes no further.
        """
        return _Check(self, claim)


@dataclass
class _Check:
    owner: Findings
    claim: str
    said: list[str] = field(default_factory=list)

    def __enter__(self) -> list[str]:
        return self.said

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        outcome = Outcome.FALSE if isinstance(error, VerificationError) else Outcome.UNCHECKED
        if error is None:
            self.owner.findings.append(Finding(self.claim, Outcome.TRUE, "; ".join(self.said)))
        elif isinstance(error, WherefromError):
            self.owner.findings.append(Finding(self.claim, outcome, str(error)))
        return error is None or isinstance(error, WherefromError)
