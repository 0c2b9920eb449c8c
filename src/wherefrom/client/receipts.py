"""What a server says of each statement that it was sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wherefrom.client.connection import type_of
from wherefrom.errors import UnavailableError, WherefromError


@dataclass(frozen=True)
class Sent:
    """The ledger's receipt for one statement, or why there is none.

    Attributes:
        index: of its entry in the server's ledger, None when it was refused.
        statement_id: hex; "" when it was refused.
        is_new: False when the ledger had it before.
        error: why it was refused: FormatError, VerificationError, `Denied`, …; None when it was not.
    """

    index: int | None
    statement_id: str = ""
    is_new: bool = False
    error: WherefromError | None = None


def read_receipts(answer: Any, *, count: int) -> list[Sent]:
    """The receipts of an answer, one for each statement sent. Raises UnavailableError for what is no such answer."""
    receipts = answer.get("receipts") if isinstance(answer, Mapping) else None
    if not isinstance(receipts, list) or len(receipts) != count:
        raise UnavailableError(
            f"the server answered {str(answer)[:200]!r}, expected {count} receipts",
            hint="is this the URL of a Wherefrom server?",
        )
    return [_read(receipt) for receipt in receipts]


def _read(receipt: Any) -> Sent:
    match receipt:
        case {"error": {"type": str(kind), "message": str(message)}}:
            return Sent(None, error=(type_of(kind) or UnavailableError)(message))
        case {"index": int(index), "statementId": str(statement_id), "isNew": bool(is_new)}:
            return Sent(index, statement_id, is_new)
    raise UnavailableError(f"the server answered {str(receipt)[:200]!r}, expected a receipt")
