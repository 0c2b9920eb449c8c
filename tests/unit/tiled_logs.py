"""Logs of C2SP tlog-tiles made in memory, honest ones and others."""

from wherefrom.errors import UnavailableError
from wherefrom.merkle import TILE_WIDTH, append_to_tiles, format_entries_path, format_tile_path, hash_leaf
from wherefrom.notes import Checkpoint, SigningKey, sign_checkpoint
from wherefrom.tlog.entries import format_entries

ORIGIN = "example.com/tiled"
KEY = SigningKey(ORIGIN, bytes(range(32)))


def entry(index, branch=b""):
    return b"entry %d %b" % (index, branch)


def sign(size, root, key=KEY):
    return sign_checkpoint(Checkpoint(key.name, size, root), key)


def make_log(size, *, fork_at=None, key=KEY):
    """The files of a log by path; from entry `fork_at` on it is another one."""
    entries = [entry(i, b"" if fork_at is None or i < fork_at else b"forked") for i in range(size)]
    tiles, root = append_to_tiles(0, [hash_leaf(e) for e in entries], lambda *_: b"")
    files = {"checkpoint": sign(size, root, key)}
    for (level, index), data in tiles.items():
        files[format_tile_path(level, index, len(data) // 32)] = data
    for index in range(-(-size // TILE_WIDTH)):
        bundle = entries[index * TILE_WIDTH : (index + 1) * TILE_WIDTH]
        files[format_entries_path(index, len(bundle))] = format_entries(bundle)
    return files


def flip(data, position, bit=0):
    return data[:position] + bytes([data[position] ^ (1 << bit)]) + data[position + 1 :]


class Unreachable:
    """A log that no reply comes from, but for these files."""

    name, parallel = "a log that is down", 1

    def __init__(self, files=()):
        self.files = dict(files)

    def read(self, path, *, max_bytes):
        if path in self.files:
            return self.files[path]
        raise UnavailableError("no reply")

    def iter_paths(self):
        return None
