"""What fingerprints commit to, as values: identity objects, logical types, the canonical bytes of one row, proofs.

Pure and small, so that the offline verifier reads proofs about single records with nothing else. Sources:
docs/spec/fingerprint-records-v1.md, fingerprint-files-v1.md, fingerprint-proofs-v1.md.
"""

from wherefrom.commitments.identity import (
    FORMS,
    ORDERS,
    SALTED,
    UNSALTED,
    FilesFingerprint,
    KeyCommitment,
    RecordsFingerprint,
)
from wherefrom.commitments.logical import (
    MAX_DEPTH,
    NULL,
    Column,
    LogicalType,
    list_of,
    map_of,
    merge_types,
    name_bytes,
    struct_of,
)
from wherefrom.commitments.secret import Secret

__all__ = [
    "FORMS",
    "MAX_DEPTH",
    "NULL",
    "ORDERS",
    "SALTED",
    "UNSALTED",
    "Column",
    "FilesFingerprint",
    "KeyCommitment",
    "LogicalType",
    "RecordsFingerprint",
    "Secret",
    "list_of",
    "map_of",
    "merge_types",
    "name_bytes",
    "struct_of",
]
