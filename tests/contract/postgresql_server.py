"""A PostgreSQL server of the tests' own: a throw-away cluster in a short folder under /tmp, on a Unix socket alone."""

import contextlib
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

DEADLINE_S = 60


def find_binaries():
    """The folder with `initdb` and `postgres`, the newest version first; None when PostgreSQL isn't installed."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name))
    on_path = shutil.which("initdb")
    folders = [*([Path(on_path).resolve().parent] if on_path else []), *installed]
    return next((path for path in folders if (path / "initdb").exists() and (path / "postgres").exists()), None)


class PostgresqlServer:
    """A running cluster. `kill` and `start` again as often as a test likes; `close` leaves nothing behind.

    Its default collation is linguistic where the server can do that, so that an ORDER BY which forgot its collation is
    noticed. Attributes: url, of the database `postgres` as the superuser of the same name; folder, with `data/` in it;
    folder_of_binaries.
    """

    def __init__(self, **settings):
        self.folder_of_binaries = find_binaries()
        if self.folder_of_binaries is None:
            pytest.skip("needs PostgreSQL's server (initdb, postgres)")
        if shutil.which("setpriv") is None:
            pytest.skip("needs setpriv (util-linux)")
        self._settings = settings
        self._process = None
        self.folder = Path(tempfile.mkdtemp(prefix="wf-pg-", dir="/tmp"))  # a socket's path has at most 107 bytes
        self.url = f"postgresql://postgres@/postgres?host={self.folder}"
        try:
            if os.geteuid() == 0:
                account = pwd.getpwnam("postgres")
                os.chown(self.folder, account.pw_uid, account.pw_gid)
            version = int(re.findall(r"\d+", self._run("initdb", "--version"))[0])
            locale = (
                ("--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en") if version >= 15 else ("--locale=C",)
            )
            options = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync", "--no-instructions")
            self._run("initdb", *options, *locale, "-D", str(self.folder / "data"))
            self.start()
        except BaseException:
            self.close()
            raise

    def _as_user(self, *command):
        """PostgreSQL refuses to run as root. When we die, however we do, so does it."""
        user = ("--reuid=postgres", "--regid=postgres", "--init-groups") if os.geteuid() == 0 else ()
        return ["setpriv", *user, "--pdeathsig=SIGQUIT", str(self.folder_of_binaries / command[0]), *command[1:]]

    def _run(self, *command):
        done = subprocess.run(self._as_user(*command), capture_output=True, text=True, cwd="/", check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self):
        """Start the server, after a crash too, and wait until it answers."""
        import psycopg

        settings = {"listen_addresses": "", "unix_socket_directories": self.folder, "shared_buffers": "32MB"}
        options = [f"--{name}={value}" for name, value in {**settings, **self._settings}.items()]
        log, deadline = self.folder / "log", time.monotonic() + DEADLINE_S
        while True:
            if self._process is None or self._process.poll() is not None:
                # What a killed server left (its children, the lock file of the socket) may hold up the first attempts.
                with log.open("ab") as output:
                    command = self._as_user("postgres", "-D", str(self.folder / "data"), *options)
                    self._process = subprocess.Popen(command, stdout=output, stderr=output, cwd="/")
            try:
                psycopg.connect(self.url).close()
                return
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, f"PostgreSQL does not start: {log.read_text()[-2000:]}"
                time.sleep(0.05)

    def kill(self):
        """Kill every process of the server with SIGKILL, at once, as a crash of the machine would."""
        pid = self._process.pid
        os.kill(pid, signal.SIGSTOP)  # so that it can't clean up after its children
        for child in _children(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self._process.kill()
        self._process.wait(DEADLINE_S)

    def stop(self):
        """Stop the server immediately, as `pg_ctl stop -m immediate` does."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(DEADLINE_S)

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def _children(pid):
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found
