"""Which files are data, and what they are called."""

# Paths are plain text here: they come by the ten thousand, and some are no valid UTF-8.
# ruff: noqa: PTH118

from __future__ import annotations

import functools
import itertools
import os
import re
from collections.abc import Sequence

from wherefrom.capture.config import Config, LevelRule
from wherefrom.capture.locate import FOLDER
from wherefrom.capture.patterns import matches

_KERNEL = ("/proc/", "/sys/", "/dev/")
_SYSTEM = (
    *_KERNEL,
    *(f"/{name}/" for name in ("etc", "lib", "lib64", "bin", "sbin", "var/cache", "System", "Library")),
)
_SYSTEM_USR = tuple(f"/usr/{name}/" for name in ("lib", "lib64", "bin", "sbin", "share"))

_FOLDERS = frozenset(
    {
        FOLDER,
        ".git",
        ".hg",
        ".svn",
        "__pycache__",
        ".ipynb_checkpoints",
        ".ssh",
        ".aws",
        ".gnupg",
        ".config",
        ".ipython",
    }
    | {".jupyter", ".mypy_cache", ".pytest_cache", ".ruff_cache", "matplotlib", "fontconfig"}
)
"""Folders whose files are a tool's own or secrets. The last two only below a folder `.cache`."""

_CODE = (".py", ".pyc", ".pyo", ".pyi", ".pyx", ".so", ".dylib", ".dll", ".pyd", ".pth", ".ipynb", ".lock")
_FONTS = (".ttf", ".otf", ".ttc", ".afm", ".pfb", ".mplstyle")
_SECRETS = (".pem", ".crt", ".cer", ".key", ".p12")
_NUMBA = (".nbi", ".nbc")
_NOT_DATA = _CODE + _FONTS + _SECRETS + _NUMBA
_SECRET_NAMES = re.compile(r"\.env(\..+)?|\.netrc|\.pypirc|\.pgpass|matplotlibrc|wherefrom\.toml")

# In an installed package most files belong to the code; these are the ones that hold examples and tables.
_DATA_IN_PACKAGES = re.compile(
    r".*\.(csv|tsv|parquet|pq|feather|arrow|ipc|orc|avro|jsonl|ndjson|npy|npz|h5|hdf5|nc|mat|arff|sqlite3?|xlsx?"
    r"|safetensors|joblib|pkl|svmlight|libsvm)(\.(gz|bz2|xz|zst|zip))?",
    re.IGNORECASE,
)


class Territory:
    """The project, and what around it is not data.

    Attributes:
        root: the project folder, absolute, links resolved.
    """

    def __init__(self, root: str, *, config: Config, installed: Sequence[str] = ()) -> None:
        """`installed`: folders of the interpreter and of its packages."""
        self.root = root
        self._below = os.path.join(root, "")
        self._config = config
        self._installed = tuple(os.path.join(folder, "") for folder in installed if folder.strip("/"))

    def is_data(self, path: str) -> bool:
        """Whether an absolute path counts, told by its name; `exclude` beats `include`, which beats our rules."""
        if f"/{FOLDER}/" in path:
            return False
        if self._config.exclude and matches(self._config.exclude, *self._names(path)):
            return False
        if self._config.include and matches(self._config.include, *self._names(path)):
            return True
        return not self._is_foreign(path)

    def rule_of(self, path: str) -> LevelRule:
        return self._config.level_of(*(self._names(path) if self._config.levels else ()))

    def source_of(self, path: str) -> dict[str, str] | None:
        fields = self._config.source_of(*self._names(path))
        return None if fields is None else dict(fields)

    def name_of(self, path: str, *, namespace: str) -> tuple[str, str]:
        """Namespace and name of what is at an absolute path: docs/spec/openlineage-facets.md."""
        inside = self._inside(path)
        return ("file", to_text(path)) if inside is None else (namespace, to_text(inside))

    def _is_foreign(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        if name.lower().endswith(_NOT_DATA) or _SECRET_NAMES.fullmatch(name) or _is_foreign_folder(f"{folder}/"):
            return True
        return path.startswith(self._installed) and not _DATA_IN_PACKAGES.fullmatch(name)

    def _names(self, path: str) -> tuple[str, ...]:
        inside = self._inside(path)
        return (path,) if inside is None else (inside, path)

    def _inside(self, path: str) -> str | None:
        """The path relative to the project, None when it is elsewhere."""
        below = self._below
        if path.startswith(below):
            return path[len(below) :]
        if path == self.root:
            return "."
        # The same file by another spelling, when the project is reached through a link.
        folder, _, name = path.rpartition("/")
        real = f"{_real_folder(folder)}/{name}"
        return real[len(below) :] if real.startswith(below) else None


@functools.lru_cache(maxsize=10_000)
def _is_foreign_folder(folder: str) -> bool:
    if folder.startswith(_SYSTEM + _SYSTEM_USR):
        return True
    names = folder.split("/")
    for parent, name in itertools.pairwise(["", *names]):
        if name in _FOLDERS and (name not in {"matplotlib", "fontconfig"} or parent == ".cache"):
            return True
    return False


@functools.lru_cache(maxsize=10_000)
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder or "/")


def to_text(path: str) -> str:
    r"""A path as text that every UTF-8 reader takes: bytes that are no text become `\xff`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
