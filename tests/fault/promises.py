"""What an archive promised, and whether it kept it after a fault."""

from __future__ import annotations

from dataclasses import dataclass, field

from workers import Told

from wherefrom.archive import Archive
from wherefrom.errors import WherefromError
from wherefrom.merkle import CompactRange, hash_leaf
from wherefrom.notes import VerifierKey, open_checkpoint


@dataclass
class Promises:
    """Every receipt an archive gave and every checkpoint it was seen to sign, wherever that was seen."""

    log_key: VerifierKey
    receipts: dict[int, str] = field(default_factory=dict)
    roots: dict[int, bytes] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def hear(self, told: Told) -> None:
        for index, statement_id in told.receipts:
            if self.receipts.setdefault(index, statement_id) != statement_id:
                self.problems.append(f"index {index} was given to {self.receipts[index]} and to {statement_id}")
        for note in told.checkpoints:
            self.see(note)
        self.problems += [f"not one of our errors: {text}" for text in told.broke]

    def see(self, note: bytes) -> None:
        """A signed checkpoint, found anywhere."""
        checkpoint = open_checkpoint(note, [self.log_key])
        if self.roots.setdefault(checkpoint.size, checkpoint.root) != checkpoint.root:
            self.problems.append(f"two different checkpoints of size {checkpoint.size} were signed")

    def check(self, archive: Archive) -> list[str]:
        """What of the promises the archive does not keep, and what is wrong with it else."""
        found: list[str] = []
        head = archive.folder / "checkpoint"
        if head.exists():
            self.see(head.read_bytes())
        with archive.reading() as (tables, _):
            for _, note in tables.iter_checkpoints():
                self.see(note)
            tree, there, recorded = CompactRange.of([]), {}, set()
            for stored in tables.iter_entries():
                leaf = hash_leaf(stored.entry)
                tree, there[stored.index] = tree.append(leaf), leaf.hex()
                if stored.envelope in recorded:
                    found.append(f"entry {stored.index} records what another one does")
                recorded.add(stored.envelope)
                if self.roots.get(len(there), tree.root()) != tree.root():
                    found.append(f"the checkpoint of size {len(there)} signs other entries than there are")
        found += [
            f"entry {index} was acknowledged as {statement_id}, there is {there.get(index)}"
            for index, statement_id in self.receipts.items()
            if there.get(index) != statement_id
        ]
        found += [
            f"a checkpoint of size {size} was signed, there are {len(there)}"
            for size in self.roots
            if size > len(there)
        ]
        try:
            found += [f"{what}: {problem}" for what, problems in archive.check() for problem in problems]
        except WherefromError as error:
            found.append(f"check: {type(error).__name__}: {error}")
        problems, self.problems = found + self.problems, []
        return problems
