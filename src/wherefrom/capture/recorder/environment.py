"""What a run ran in: script, packages, host, git. Gathered here, at no cost to the captured process."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

_GIT_TIMEOUT_S = 20.0
_DIST = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)(\.dist-info|(-py[\d.]+)?\.egg-info)")
_SCP = re.compile(r"(?:[^@/]+@)?(?P<host>[^:/]+):(?P<path>[^/].*)")


@dataclass(frozen=True)
class GitState:
    """A work tree as it was when the run began.

    Attributes:
        top: folder of the work tree.
        repository: URL of `origin` without credentials; "" when there is none.
        branch: "" when HEAD is detached.
        diff_sha256: of `git diff HEAD`, hex; None when nothing that git tracks had changed.
    """

    top: str
    commit: str
    branch: str
    repository: str
    diff_sha256: str | None

    def to_json(self) -> dict[str, Any]:
        members = {"commit": self.commit, "branch": self.branch, "repository": self.repository}
        members |= {"diffSha256": self.diff_sha256 or ""}
        return {"isDirty": self.diff_sha256 is not None} | {key: value for key, value in members.items() if value}


def read_git(folder: str) -> tuple[GitState | None, str]:
    """The state of the work tree that holds a folder, or None and why not; "" when there simply is none."""
    try:
        top, commit = _git(folder, "rev-parse", "--show-toplevel", "HEAD").splitlines()
        branch = _git(folder, "branch", "--show-current")
        remote = _git(folder, "config", "--default", "", "--get", "remote.origin.url")
        diff = _run(folder, "diff", "--no-ext-diff", "--no-textconv", "--binary", "HEAD")
    except subprocess.CalledProcessError as error:
        said = (error.stderr or b"").decode(errors="replace").strip().partition("\n")[0]
        return None, "" if "not a git repository" in said else f"git: {said}"
    except FileNotFoundError:
        return None, ""
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return None, f"git: {error}"
    diff_sha256 = hashlib.sha256(diff).hexdigest() if diff else None
    return GitState(top, commit, branch, strip_credentials(remote), diff_sha256), ""


def _git(folder: str, *arguments: str) -> str:
    return _run(folder, *arguments).decode(errors="replace").strip()


def _run(folder: str, *arguments: str) -> bytes:
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    command = ["git", "-C", folder, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, check=True, timeout=_GIT_TIMEOUT_S).stdout


def strip_credentials(url: str) -> str:
    """A remote's URL without user and password; the short form `git@host:path` becomes a URL."""
    if "://" not in url:
        short = _SCP.fullmatch(url)
        return f"ssh://{short['host']}/{short['path']}" if short else url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def list_packages(folders: Iterable[str]) -> dict[str, str]:
    """Installed distributions and their versions, told by the names of their metadata folders; earlier folders win."""
    found: dict[str, str] = {}
    for folder in folders:
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208 - names are what is wanted
        except OSError:
            continue
        for name in names:
            if match := _DIST.fullmatch(name):
                found.setdefault(re.sub(r"[-_.]+", "-", match["name"]).lower(), match["version"])
    return dict(sorted(found.items()))


def describe_host() -> dict[str, Any]:
    host = os.uname()
    return {"name": host.nodename, "system": platform.platform(), "machine": host.machine, "cpus": os.cpu_count() or 0}


def describe_script(path: str | None) -> dict[str, Any]:
    """Path and SHA-256 of the script; {} when there is none, as in an interactive session."""
    if not path:
        return {}
    try:
        with Path(path).open("rb") as file:
            return {"path": path, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    except OSError:
        return {"path": path}
