"""Trees kept on disk, for proofs and comparisons that don't read the data again. Reads with the standard library alone.

A kept tree is a folder `<algorithm>-<id>` with the canonical identity object in `identity.json` and, in files "0", "1",
"2", …, the contents of all C2SP tiles of that level, one after the other: "0" is all leaf hashes in order, each
file above has one hash for every complete 256 of the file below, and the last has fewer than 256. An empty tree has
none.
"""

from __future__ import annotations

import mmap
import shutil
from bisect import bisect_left
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from wherefrom.commitments import KeyCommitment, RecordsFingerprint
from wherefrom.errors import FormatError, NotFoundError, UnavailableError
from wherefrom.merkle import HASH_SIZE, TILE_WIDTH
from wherefrom.strict import parse_json

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from types import TracebackType

KeptIdentity: TypeAlias = RecordsFingerprint | KeyCommitment

IDENTITY_FILE: Final = "identity.json"
_IDENTITIES: Final[dict[str, type[RecordsFingerprint | KeyCommitment]]] = {
    RecordsFingerprint.ALGORITHM: RecordsFingerprint,
    KeyCommitment.ALGORITHM: KeyCommitment,
}
# Hashes are spread evenly: one lies about the square root of the size away from where its first bytes place it.
_FIRST_STRIDE: Final = 1_024


class KeptTree:
    """One tree in its folder. Safe for many threads, until it is closed.

    What it reads is not checked against the root: a proof made from it must be verified before it is given away.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Open the tree in a folder.

        Raises NotFoundError: no tree there. FormatError: an identity that is none, or a file of another size than the
        identity says, naming it. UnavailableError: can't be read.
        """
        self.folder = Path(folder)
        self.identity = read_identity(self.folder)
        self.size = size_of(self.identity)
        self._levels: list[_Hashes] = []
        try:
            count = self.size
            while count > 0:
                self._levels.append(_Hashes(self.folder / str(len(self._levels)), count))
                count //= TILE_WIDTH
        except BaseException:
            self.close()
            raise

    @property
    def is_sorted(self) -> bool:
        """Whether leaves ascend by their bytes, so that `find` works and absence can be proved."""
        return isinstance(self.identity, KeyCommitment) or self.identity.order == "sorted"

    def leaf(self, index: int) -> bytes:
        """The leaf hash at an index, 32 bytes. FormatError: no such leaf."""
        if not 0 <= index < self.size:
            raise FormatError(f"'{self.folder}' has no leaf {index}: its size is {self.size}")
        return self._levels[0][index]

    def find(self, leaf_hash: bytes) -> tuple[int, bool]:
        """Index of the first leaf that is not less than this hash, `size` if all are less; and whether it is equal.

        Raises FormatError: a hash that is not 32 bytes long, or a tree whose leaves are not sorted.
        """
        if len(leaf_hash) != HASH_SIZE:
            raise FormatError(f"leaf hash has {len(leaf_hash)} bytes, expected {HASH_SIZE}")
        if not self.is_sorted:
            raise FormatError(
                f"leaves of '{self.folder}' are in the order of rows, so none can be looked up by its hash"
            )
        if self.size == 0:
            return 0, False
        leaves = self._levels[0]
        guess = min(self.size - 1, self.size * int.from_bytes(leaf_hash[:8]) >> 64)
        low, high, stride = guess, guess, _FIRST_STRIDE
        # Widen around the guess until everything below `low` is less and `high` is not, or is the end.
        while low > 0 and leaves[low - 1] >= leaf_hash:
            low, stride = max(0, low - stride), stride * 2
        stride = _FIRST_STRIDE
        while high < self.size and leaves[high] < leaf_hash:
            high, stride = min(self.size, high + stride), stride * 2
        index = bisect_left(leaves, leaf_hash, low, high)
        return index, index < self.size and leaves[index] == leaf_hash

    def search(self, leaf_hash: bytes) -> int | None:
        """Index of the first leaf with this hash, in a tree of any order; reads all before it."""
        return self._levels[0].search(leaf_hash) if self.size else None

    def read_tile(self, level: int, index: int, width: int) -> bytes:
        """The first `width` hashes of a tile: a `merkle.ReadTile`. FormatError: the tree has no such tile."""
        first = index * TILE_WIDTH
        count = len(self._levels[level]) if 0 <= level < len(self._levels) else 0
        if not (index >= 0 and 0 < width <= TILE_WIDTH and first + width <= count):
            raise FormatError(f"'{self.folder}' has no tile {index} of width {width} on level {level}")
        return self._levels[level].read(first, width)

    def close(self) -> None:
        """Let go of the files; the tree can't be read afterwards. Closing twice is fine."""
        while self._levels:
            self._levels.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class KeptTrees:
    """A folder of kept trees, made when the first is kept. Several processes may use it at once."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def path_of(self, tree: KeptIdentity | str) -> Path:
        """Where this tree lies if it is kept. A text is `<algorithm>:<id>`; FormatError: it is not."""
        algorithm, separator, identifier = str(tree).partition(":")
        if (
            algorithm not in _IDENTITIES
            or not separator
            or len(identifier) != 64
            or identifier.strip("0123456789abcdef")
        ):
            raise FormatError(
                f"{str(tree)!r} names no tree, expected {' or '.join(_IDENTITIES)}, ':' and 64 hex digits"
            )
        return self.folder / f"{algorithm}-{identifier}"

    def __contains__(self, tree: KeptIdentity | str) -> bool:
        return (self.path_of(tree) / IDENTITY_FILE).is_file()

    def open(self, tree: KeptIdentity | str) -> KeptTree:
        """Open a tree by its identity or by `<algorithm>:<id>`.

        Raises NotFoundError: not kept here. Others as `KeptTree`; FormatError also for the identity of another tree.
        """
        path = self.path_of(tree)
        if not path.is_dir():
            raise NotFoundError(f"the leaves of {tree} are not kept in '{self.folder}'")
        kept = KeptTree(path)
        if str(kept.identity) != str(tree):
            kept.close()
            raise FormatError(f"'{path / IDENTITY_FILE}' is the identity of {kept.identity}, expected that of {tree}")
        return kept

    def __iter__(self) -> Iterator[KeptIdentity]:
        """The identities of all trees kept here, in the order of their folders' names; errors as `KeptTree`."""
        if not self.folder.is_dir():
            return
        for path in sorted(self.folder.iterdir()):
            algorithm, _, identifier = path.name.rpartition("-")
            if algorithm in _IDENTITIES and len(identifier) == 64:
                yield read_identity(path)

    def remove(self, tree: KeptIdentity | str) -> None:
        """Delete a tree; NotFoundError: not kept here. Who has it open can read on."""
        path = self.path_of(tree)
        try:
            # Without it the folder is no tree, should the rest be interrupted.
            (path / IDENTITY_FILE).unlink()
            shutil.rmtree(path)
        except FileNotFoundError as error:
            raise NotFoundError(f"the leaves of {tree} are not kept in '{self.folder}'") from error
        except OSError as error:
            raise UnavailableError(f"can't remove '{path}': {error.strerror or error}") from error


def read_identity(folder: Path) -> KeptIdentity:
    """What the tree in a folder is the tree of; errors as `KeptTree`."""
    path = folder / IDENTITY_FILE
    try:
        value = parse_json(path.read_bytes(), what=f"'{path}'")
    except FileNotFoundError as error:
        raise NotFoundError(f"no kept tree in '{folder}'") from error
    except OSError as error:
        raise UnavailableError(f"can't read '{path}': {error.strerror or error}") from error
    algorithm = value.get("type") if isinstance(value, dict) else None
    if not isinstance(algorithm, str) or algorithm not in _IDENTITIES:
        raise FormatError(f"'{path}' has the type {algorithm!r}, expected {' or '.join(_IDENTITIES)}")
    try:
        return _IDENTITIES[algorithm].from_json(value)
    except FormatError as error:
        raise FormatError(f"'{path}': {error}") from error


def size_of(identity: KeptIdentity) -> int:
    """How many leaves its tree has."""
    return identity.rows if isinstance(identity, RecordsFingerprint) else identity.keys


class _Hashes:
    """A file of hashes as a sequence."""

    def __init__(self, path: Path, count: int) -> None:
        try:
            with path.open("rb") as file:
                size = file.seek(0, 2)
                if size != count * HASH_SIZE:
                    raise FormatError(f"'{path}' has {size} bytes, expected {count * HASH_SIZE} for {count} hashes")
                self._data = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
        except FileNotFoundError as error:
            raise FormatError(f"'{path}' is missing, expected {count} hashes") from error
        except OSError as error:
            raise UnavailableError(f"can't read '{path}': {error.strerror or error}") from error
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> bytes:
        return self._data[index * HASH_SIZE : (index + 1) * HASH_SIZE]

    def search(self, value: bytes) -> int | None:
        at = self._data.find(value)
        while at >= 0 and at % HASH_SIZE:  # the end of one hash and the beginning of the next
            at = self._data.find(value, at + 1)
        return None if at < 0 else at // HASH_SIZE

    def read(self, first: int, count: int) -> bytes:
        return self._data[first * HASH_SIZE : (first + count) * HASH_SIZE]

    def close(self) -> None:
        self._data.close()
