"""The running log: appends statements, signs the tree, proves entries, erases what may go, and checks itself.

Files of retired entries are `wherefrom.ledger.shard_file`'s, which is not imported here: recording never needs it.
"""

from wherefrom.ledger.as_of import parse_as_of
from wherefrom.ledger.check import check_ledger
from wherefrom.ledger.erasing import Erased, carry_out, list_pending, plan_retirement, require_redactable, say_gone
from wherefrom.ledger.keys import read_key_book, read_key_entries
from wherefrom.ledger.log import Ledger, Receipt, prove_entry, verify_grown
from wherefrom.ledger.orders import Order, Orders, find_redaction, iter_statements, read_orders
from wherefrom.ledger.retention import DEFAULT_RULES, LOG_KINDS, LOGS, Period, Shard, find_shard, list_shards
from wherefrom.ledger.submission import Signed, Submission, make_signed, sign_statement

__all__ = [
    "DEFAULT_RULES",
    "LOGS",
    "LOG_KINDS",
    "Erased",
    "Ledger",
    "Order",
    "Orders",
    "Period",
    "Receipt",
    "Shard",
    "Signed",
    "Submission",
    "carry_out",
    "check_ledger",
    "find_redaction",
    "find_shard",
    "iter_statements",
    "list_pending",
    "list_shards",
    "make_signed",
    "parse_as_of",
    "plan_retirement",
    "prove_entry",
    "read_key_book",
    "read_key_entries",
    "read_orders",
    "require_redactable",
    "say_gone",
    "sign_statement",
    "verify_grown",
]
