"""Fingerprints: data to digests that name what the data is, not how it is kept.

`wf-files-1` names a file or folder by its bytes, `wf-records-1` a table by its rows, `wf-keys-1` the keys in a table.
Sources: docs/spec/fingerprint-files-v1.md and docs/spec/fingerprint-records-v1.md. Importing this package imports no
heavy library; fingerprinting a table does.
"""

from wherefrom.commitments import Column, FilesFingerprint, KeyCommitment, LogicalType, RecordsFingerprint, Secret
from wherefrom.fingerprints.files import FileEntry, fingerprint_entries, fingerprint_files, read_file_entries
from wherefrom.fingerprints.formats import FORMATS, table_format
from wherefrom.fingerprints.kept import KeptTree, KeptTrees
from wherefrom.fingerprints.keys import Key
from wherefrom.fingerprints.progress import Progress
from wherefrom.fingerprints.proving import prove_files, prove_part, prove_rows
from wherefrom.fingerprints.records import commit_keys, fingerprint_records, fingerprint_with_keys
from wherefrom.fingerprints.sql import SqlTable, sql_table
from wherefrom.fingerprints.stat_cache import StatCache

__all__ = [
    "FORMATS",
    "Column",
    "FileEntry",
    "FilesFingerprint",
    "KeptTree",
    "KeptTrees",
    "Key",
    "KeyCommitment",
    "LogicalType",
    "Progress",
    "RecordsFingerprint",
    "Secret",
    "SqlTable",
    "StatCache",
    "commit_keys",
    "fingerprint_entries",
    "fingerprint_files",
    "fingerprint_records",
    "fingerprint_with_keys",
    "prove_files",
    "prove_part",
    "prove_rows",
    "read_file_entries",
    "sql_table",
    "table_format",
]
