"""A disk that is full: a file system in memory of few KiB, mounted for the time being."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from injection import Subject, Tried, in_folder
from workers import Worker


def may_mount() -> bool:
    """Whether this user may, by itself or by sudo without a password."""
    return shutil.which("mount") is not None and subprocess.run([*_as_root(), "true"], check=False).returncode == 0


def _as_root() -> list[str]:
    return [] if os.geteuid() == 0 else ["sudo", "-n"]


def _mount(*arguments: str) -> None:
    subprocess.run([*_as_root(), *arguments], check=True)


@contextlib.contextmanager
def small_disk(folder: Path, *, kib: int) -> Iterator[None]:
    folder.mkdir(parents=True)
    _mount("mount", "-t", "tmpfs", "-o", f"size={kib}k,mode=777", "none", str(folder))
    try:
        yield
    finally:
        _mount("umount", str(folder))


def fill_disks(worker: Worker, root: Path, rooms_kib: Iterable[int]) -> Iterator[Tried]:
    """Record until a disk is full, and for some time after that; give it room, and look.

    Args:
        rooms_kib: how much room a disk has beyond three times what a new archive takes.
    """
    with contextlib.closing(in_folder(root / "measured")) as archive:
        new_kib = _used_kib(archive.folder)
    for room_kib in rooms_kib:
        disk = root / str(room_kib)
        kib = 3 * new_kib + room_kib
        with small_disk(disk, kib=kib):
            subject = Subject(in_folder(disk / "project"))
            told = worker.run("record", where=subject.where, name="full", batches=10 + (kib - _used_kib(disk)) // 4)
            _mount("mount", "-o", f"remount,size={4 * kib + 4096}k", str(disk))
            yield subject.settle(f"full disk of {kib} KiB", told)


def _used_kib(folder: Path) -> int:
    return sum(path.stat().st_blocks for path in folder.rglob("*") if path.is_file()) // 2
