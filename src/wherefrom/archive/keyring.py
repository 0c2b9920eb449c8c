"""The secret keys of an archive, held by who signs with them: each is read again when its file is another one."""

from __future__ import annotations

import os
from collections.abc import Sequence

from wherefrom.archive.folder import ArchiveFolder
from wherefrom.ledger import Signed, sign_statement
from wherefrom.notes import Signer
from wherefrom.signers import opens_alone
from wherefrom.statements import Statement


class Keyring:
    def __init__(self, folder: ArchiveFolder) -> None:
        self._folder = folder
        self._keys: dict[str, tuple[tuple[int, ...], Signer]] = {}

    def read_key(self, name: str) -> Signer:
        """A secret key. Raises as `ArchiveFolder.read_key`."""
        try:
            found = os.stat(f"{self._folder.path}/keys/{name}")  # noqa: PTH116 - pathlib takes longer than the system
        except OSError:
            return self._folder.read_key(name)  # which says what is wrong
        mark = (found.st_ino, found.st_size, found.st_mtime_ns)
        if name not in self._keys or self._keys[name][0] != mark:
            self._keys[name] = (mark, self._folder.read_key(name))
        return self._keys[name][1]

    def read_keys(self, name: str) -> tuple[Signer, ...]:
        """A secret key of the archive, `log` or `producer`, and after it those that sign whatever it signs."""
        key = self.read_key(name)
        beside = [self.read_key(other) for other in self._folder.list_beside(name, key.verifier_key)]
        # A change of keys that was interrupted leaves one of them under two names.
        return tuple({signer.verifier_key.label: signer for signer in (key, *beside)}.values())

    def open_alone(self, name: str) -> bool:
        """Whether another process of ours can use them, too, with nobody asked for anything."""
        names = (name, *self._folder.list_beside(name, self.read_key(name).verifier_key))
        return all(opens_alone(self._folder.key_path(one)) for one in names)

    def sign(self, statements: Sequence[Statement]) -> list[Signed]:
        """Sign with the producer's keys as they are now. Raises as `read_key`."""
        keys = self.read_keys("producer")
        return [sign_statement(statement, keys) for statement in statements]
