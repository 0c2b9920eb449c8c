"""The audit hook: what Python itself opens, renames, removes and starts. Added once, and there for good (PEP 578)."""

# Runs in the user's process, where pathlib would be one more import.
# ruff: noqa: PTH119

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from wherefrom.capture import current
from wherefrom.capture.journal import Journal

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_TRUNC | os.O_CREAT

_CREATE_NEW = os.O_CREAT | os.O_EXCL

# Programs that report about the machine: they read and write no data.
_REPORTERS = frozenset({"uname", "lscpu", "nproc", "ldconfig", "nvidia-smi", "sysctl", "hostname", "which", "ps", "id"})


def install(on_main: Callable[[str, tuple[Any, ...]], None] | None = None) -> None:
    """Add the hook. `on_main` is called when the main program is about to run, for whoever comes before it."""
    if on_main is not None:
        _on_main.append(on_main)
    if not _installed:
        _installed.append(True)
        sys.addaudithook(_hook)


_installed: list[bool] = []
_on_main: list[Callable[[str, tuple[Any, ...]], None]] = []


def _hook(event: str, args: tuple[Any, ...]) -> None:
    # These lines run for every event of the program's life: each of them was measured (bench/capture.py).
    try:
        if event == "open":
            path, _, flags = args
            if not flags & _WRITING:
                if path not in current.seen:
                    _read(path)
                return
        elif event not in _KNOWN:
            return
        _handle(event, args)
    except Exception:  # noqa: BLE001 - never the program's problem; what the parts report themselves ends before this
        return


def _read(path: Any) -> None:
    journal = current.current()
    if journal is not None and path not in journal.seen:
        try:
            journal.read(path)
        except Exception as error:  # noqa: BLE001 - never the program's problem
            journal.failed("open", error)


def _handle(event: str, args: tuple[Any, ...]) -> None:
    if event in _MAIN_EVENTS:
        while _on_main:
            _on_main.pop()(event, args)
        return
    journal = current.current()
    if journal is None or journal.is_off(event):
        return
    try:
        _EVENTS[event](journal, args)
    except Exception as error:  # noqa: BLE001 - never the program's problem
        journal.failed(event, error)


def _open_to_write(journal: Journal, args: tuple[Any, ...]) -> None:
    path, _, flags = args
    is_new = flags & os.O_TRUNC or flags & _CREATE_NEW == _CREATE_NEW
    if flags & os.O_ACCMODE == os.O_RDONLY:
        journal.read(path)
    elif is_new:
        journal.write(path, via="open")
    else:  # to append, or to write here and there: what it holds now stays part of it
        journal.update(path, via="open")


def _rename(journal: Journal, args: tuple[Any, ...]) -> None:
    source, target, source_folder, target_folder = args
    if source_folder == target_folder == -1:
        journal.rename(source, target)


def _remove(journal: Journal, args: tuple[Any, ...]) -> None:
    path, folder = args
    if folder in {-1, None}:
        journal.remove(path)


def _truncate(journal: Journal, args: tuple[Any, ...]) -> None:
    journal.update(args[0], via="os.truncate")


def _link(journal: Journal, args: tuple[Any, ...]) -> None:
    source, target, *folders = args
    if folders == [-1, -1]:
        journal.read(source)
        journal.write(target, via="os.link")


def _sqlite(journal: Journal, args: tuple[Any, ...]) -> None:
    database = os.fsdecode(args[0])
    if database.startswith("file:"):
        database, _, options = database.removeprefix("file:").partition("?")
        if "mode=memory" in options:
            return
        if "mode=ro" in options or "immutable=1" in options:
            journal.read(database)
            return
    if database not in {"", ":memory:"}:
        journal.update(database, via="sqlite3.connect")


def _chdir(journal: Journal, _: tuple[Any, ...]) -> None:
    journal.flush()


def _popen(journal: Journal, args: tuple[Any, ...]) -> None:
    _child(journal, args[1])


def _spawn(journal: Journal, args: tuple[Any, ...]) -> None:
    _child(journal, args[1])


def _system(journal: Journal, args: tuple[Any, ...]) -> None:
    _child(journal, ["/bin/sh", "-c", args[0]])


def _child(journal: Journal, argv: Any) -> None:
    argv = [argv] if isinstance(argv, str | bytes | os.PathLike) else list(argv)
    if argv and os.path.basename(os.fsdecode(argv[0])) not in _REPORTERS:
        journal.child(argv)


_EVENTS: dict[str, Callable[[Journal, tuple[Any, ...]], None]] = {
    "open": _open_to_write,
    "os.rename": _rename,
    "os.remove": _remove,
    "shutil.rmtree": _remove,
    "os.truncate": _truncate,
    "os.link": _link,
    "sqlite3.connect": _sqlite,
    "os.chdir": _chdir,
    "subprocess.Popen": _popen,
    "os.posix_spawn": _spawn,
    "os.exec": _spawn,
    "os.system": _system,
}
_MAIN_EVENTS = frozenset({"cpython.run_file", "cpython.run_module", "cpython.run_command", "cpython.run_stdin"})
_KNOWN = frozenset(_EVENTS) | _MAIN_EVENTS
