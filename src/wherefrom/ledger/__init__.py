"""The running log: appends statements, signs the tree, proves entries, and checks itself."""

from wherefrom.ledger.check import check_ledger
from wherefrom.ledger.log import Ledger, Receipt, Submission, prove_entry, verify_grown

__all__ = ["Ledger", "Receipt", "Submission", "check_ledger", "prove_entry", "verify_grown"]
