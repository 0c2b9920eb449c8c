"""Checking what a server says is in its ledger, on nobody's word but a trust policy's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherefrom.errors import FormatError, InclusionError
from wherefrom.merkle import HASH_SIZE, hash_leaf, verify_inclusion
from wherefrom.notes import TrustPolicy, open_trusted
from wherefrom.strict import Fields


def verify_proof_answer(answer: Mapping[str, Any], trust: TrustPolicy) -> None:
    """Raise unless the entry is in the tree of a checkpoint that the policy trusts: `GET /v1/proof`.

    InclusionError: it is not, or is not the statement that the answer names. SignatureError: the checkpoint is not
    trusted. FormatError: no such answer, or a tree for which no checkpoint was signed.
    """
    what = "proof answer"
    fields = Fields.of(dict(answer), what=what)
    if answer.get("checkpoint") is None:
        raise FormatError(f"{what}: no checkpoint was signed of {answer.get('size')} entries; ask for the newest tree")
    tree = open_trusted(fields.text("checkpoint").encode(), trust).checkpoint
    path = fields.items("proof")
    if not all(isinstance(one, str) and len(one) == 2 * HASH_SIZE for one in path):
        fields.fail("proof", f"expected hashes of {2 * HASH_SIZE} hexadecimal digits")
    try:
        hashes = [bytes.fromhex(one) for one in path]
    except ValueError as error:
        raise FormatError(f"{what}: $.proof: {error}") from error
    leaf, index = hash_leaf(fields.text("entry").encode()), fields.integer("index")
    if leaf.hex() != fields.text("statementId"):
        raise InclusionError(f"the entry that was shown is {leaf.hex()}, not {answer['statementId']}")
    verify_inclusion(leaf, index=index, size=tree.size, proof=hashes, root=tree.root)
