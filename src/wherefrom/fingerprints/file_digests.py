"""SHA-256 of files as they were listed: large ones in threads, small ones in the caller's."""

from __future__ import annotations

import hashlib
import os
from contextlib import closing
from typing import TYPE_CHECKING, Final

from wherefrom.errors import UnavailableError
from wherefrom.fingerprints.pool import ordered_map, worker_count
from wherefrom.fingerprints.walk import Listing, pack_state, size_of, unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

# Up to this size a file is hashed in the caller's thread. Opening and closing hold the interpreter lock, so two threads
# took three times as long as one for files of 4 KiB, the same at 128 KiB, and two thirds at 512 KiB.
_IN_LINE_BYTES: Final = 128 * 1024
_BUFFER_BYTES: Final = 512 * 1024
# What a thread takes on at once: enough that handing it over costs nothing, little enough that all end together.
_BATCH_BYTES: Final = 8 * 1024 * 1024

# From this size a file that is hashed alone is read in another thread: a sixth less time for 4 GiB.
_AHEAD_FROM_BYTES: Final = 64 * 1024 * 1024
_AHEAD_BUFFER_BYTES: Final = 4 * 1024 * 1024

# Without O_NONBLOCK, a pipe put in the file's place since it was listed would block for ever.
_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


def hash_listed(listing: Listing, wanted: Iterable[int], count: Callable[[int], None]) -> Iterator[tuple[int, bytes]]:
    """Hash the files at these indexes: pairs of index and digest, in no particular order.

    `count` is called from this thread with the bytes that were read since it was called last.
    Raises UnavailableError: a file can't be read, or is not, before or after reading, as it was listed.
    """
    sizes = {index: size_of(listing.states[index]) for index in wanted}
    large = [index for index, size in sizes.items() if size > _IN_LINE_BYTES]
    large.sort(key=lambda index: -sizes[index])
    if len(large) < 2 or worker_count() < 2:
        large = []
    for hashed in ordered_map(lambda batch: _hash_batch(listing, batch), _iter_batches(large, sizes)):
        count(sum(sizes[index] for index, _ in hashed))
        yield from hashed
    in_threads = set(large)
    view = memoryview(bytearray(_BUFFER_BYTES))
    for index, size in sizes.items():
        if index not in in_threads:
            yield index, _hash_file(listing.path(index), listing.states[index], size, view, count)


def _iter_batches(large: list[int], sizes: dict[int, int]) -> Iterator[list[int]]:
    batch: list[int] = []
    held = 0
    for index in large:
        batch.append(index)
        held += sizes[index]
        if held >= _BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _hash_batch(listing: Listing, batch: list[int]) -> list[tuple[int, bytes]]:
    view = memoryview(bytearray(_BUFFER_BYTES))
    return [
        (index, _hash_file(listing.path(index), listing.states[index], size_of(listing.states[index]), view, None))
        for index in batch
    ]


def _hash_file(path: str, listed: bytes, expected: int, view: memoryview, count: Callable[[int], None] | None) -> bytes:
    hasher = hashlib.sha256()
    size = 0
    try:
        descriptor = os.open(path, _FLAGS)
        try:
            is_alone = count is not None and expected >= _AHEAD_FROM_BYTES and worker_count() > 1
            # Closed before the descriptor is: no other thread may still read from it then.
            with closing(_iter_ahead(descriptor) if is_alone else _iter_pieces(descriptor, view)) as pieces:
                for piece in pieces:
                    hasher.update(piece)
                    size += len(piece)
                    if count is not None:
                        count(len(piece))
                    # A file that is written to may never end. If there is more than was listed, its state tells.
                    if size >= expected:
                        break
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unreadable(error, path) from error
    if size != expected or pack_state(after) != listed:
        raise UnavailableError(
            f"'{path}' changed while it was read", hint="fingerprint it again when nothing writes to it"
        )
    return hasher.digest()


def _iter_pieces(descriptor: int, view: memoryview) -> Generator[memoryview]:
    while length := os.readv(descriptor, [view]):
        yield view[:length]


def _iter_ahead(descriptor: int) -> Generator[memoryview]:
    """While the caller works on a piece, the next one is read."""
    from concurrent.futures import ThreadPoolExecutor  # loads logging, which few files are worth

    with ThreadPoolExecutor(1, thread_name_prefix="wherefrom-read") as reader:
        now, following = (memoryview(bytearray(_AHEAD_BUFFER_BYTES)) for _ in range(2))
        reading = reader.submit(os.readv, descriptor, [now])
        while length := reading.result():
            reading = reader.submit(os.readv, descriptor, [following])
            yield now[:length]
            now, following = following, now
