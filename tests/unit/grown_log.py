"""A log for tests of those who watch logs: entry i is the number i, and it can fork."""

from wherefrom.merkle import hash_leaf, prove_consistency, root_of
from wherefrom.notes import Checkpoint, SigningKey, sign_checkpoint
from wherefrom.tlog.add_checkpoint import AddCheckpoint, format_add_checkpoint


class GrownLog:
    def __init__(self, origin="example.com/log", *, fork=None, keys=None):
        """With `fork`, entries from that index on are others."""
        self.keys = keys or [SigningKey(origin, bytes(range(32)))]
        self.origin = origin
        self.fork = fork

    def leaves(self, size):
        is_other = [self.fork is not None and i >= self.fork for i in range(size)]
        return [hash_leaf(b"%d%b" % (i, b"!" * is_other[i])) for i in range(size)]

    def checkpoint(self, size):
        return Checkpoint(self.origin, size, root_of(self.leaves(size)))

    def note(self, size):
        return sign_checkpoint(self.checkpoint(size), *self.keys)

    def prove(self, old, new):
        return prove_consistency(self.leaves(new), old)

    def request(self, old, new, *, note=None, proof=None):
        """The body of add-checkpoint."""
        proof = self.prove(old, new) if proof is None else proof
        return format_add_checkpoint(AddCheckpoint(old, tuple(proof), note or self.note(new)))

    @property
    def verifier_keys(self):
        return [key.verifier_key for key in self.keys]
