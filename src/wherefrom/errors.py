"""Everything Wherefrom raises on purpose.

    WherefromError
    ├── VerificationError        checked, and false: never retry
    │   ├── InclusionError       an entry is not in the tree it claims to be in
    │   ├── ConsistencyError     one tree is not a prefix of the other
    │   ├── SignatureError       a signature by a known key does not verify
    │   └── MismatchError        what was recorded and what is there now differ
    ├── FormatError              bytes don't have the form they claim
    ├── NotFoundError            asked for something that is not there
    ├── UnavailableError         could not be checked or done now: mend the cause, then retry
    ├── ConflictError            somebody was first: reread, then retry
    ├── Unauthenticated          a server does not know who asks: HTTP 401
    └── Denied                   it knows, and they may not: HTTP 403

True, false and "could not tell" stay three outcomes: a function that verifies returns normally, raises
`VerificationError`, or raises one of the others.
"""

from typing import ClassVar


class WherefromError(Exception):
    """Base of all errors; `hint` says the next step, where there is one."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class VerificationError(WherefromError):
    """Checked, and false."""


class InclusionError(VerificationError):
    """An inclusion proof does not lead to the root."""


class ConsistencyError(VerificationError):
    """A consistency proof does not lead from the old root to the new one."""


class SignatureError(VerificationError):
    """A signature is missing, or by a known key and wrong."""


class MismatchError(VerificationError):
    """What was recorded and what is there now differ."""


class FormatError(WherefromError, ValueError):
    """Bytes, text or values don't have the form they claim."""


class NotFoundError(WherefromError, LookupError):
    """No such archive, entity, run or statement."""


class UnavailableError(WherefromError):
    """Could not be checked or done; says nothing about true or false."""


class ConflictError(WherefromError):
    """Somebody else changed the same thing first."""


class Unauthenticated(WherefromError):  # noqa: N818 - says what the caller is, as `Denied` does; neither is a fault
    """A server does not know who asks: no token or session, or one that is wrong, expired or revoked."""

    status: ClassVar = 401

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.headers = {"WWW-Authenticate": 'Bearer realm="wherefrom"'}


class Denied(WherefromError):  # noqa: N818
    """A server knows who asks, and they may not do it."""

    status: ClassVar = 403
