"""A server killed under load from SDK clients with outboxes; and what a run costs while the server is well or ill.

Usage: python bench/chaos.py [KILLS] [--processes N] [--sdk N] [--direct N] [--postgresql] [--runs N] [--seed N]

With --postgresql the database is killed, too. Exits with 1, and all that is known, when what clients believe is not so.
"""

import argparse
import contextlib
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

for name in ("unit", "contract", "integration", "fault"):
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / name))

from chaos import Stage  # noqa: E402 - where it is is said above
from live_server import running_server  # noqa: E402
from postgresql_server import PostgresqlServer  # noqa: E402

SLOW_S = 3.0
SCRIPT = """
{line}
with open("in.bin", "rb") as file:
    data = file.read()
with open("out.bin", "wb") as file:
    file.write(data[::-1])
"""
LINE = "import wherefrom; wherefrom.autolog()"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kills", nargs="?", type=int, default=50)
    parser.add_argument("--processes", type=int, default=2, help="of clients")
    parser.add_argument("--sdk", type=int, default=3, help="SDK clients with an outbox in each")
    parser.add_argument("--direct", type=int, default=1, help="clients without one in each")
    parser.add_argument("--postgresql", action="store_true", help="in a throw-away cluster, killed at every third kill")
    parser.add_argument("--runs", type=int, default=7, help="of the script, in each state of the server")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        if options.kills:
            kill(options, Path(stack.enter_context(tempfile.TemporaryDirectory())))
        if options.runs:
            measure(options.runs, Path(stack.enter_context(tempfile.TemporaryDirectory())))


def kill(options: argparse.Namespace, root: Path) -> None:
    with contextlib.ExitStack() as stack:
        postgresql = stack.enter_context(contextlib.closing(PostgresqlServer())) if options.postgresql else None
        dice = random.Random(options.seed)
        stage = Stage(
            root, processes=options.processes, sdk=options.sdk, direct=options.direct, pause_s=0.05, dice=dice
        )
        began, restarts = time.monotonic(), 0
        with stage.playing(database=f"{postgresql.url}&schema=chaos" if postgresql else None):
            for number in range(options.kills):
                stage.await_work()
                if number % 3 == 1:
                    stage.kill_clients()
                if postgresql and number % 3 == 2:
                    postgresql.kill()
                    postgresql.start()
                    restarts += 1
                    stage.await_work()
                stage.kill_server()
            stage.await_work()
        lasted = time.monotonic() - began
    done = stage.result
    print(f"{done.kills} kills of the server, {done.client_kills} of a client process, {restarts} of PostgreSQL")
    print(f"  in {lasted:.0f} s; the server was back after a median of {statistics.median(done.down_s):.1f} s")
    print(f"  {done.kept:,} statements believed kept by outboxes, {done.sent:,} receipts given to clients without one")
    print(f"  {done.entries:,} entries; not as believed, lost, twice, out of order, or unsound: {len(done.failures)}")
    if done.failures:
        print("\n".join(done.failures))
        sys.exit(1)


# --- what a run costs ------------------------------------------------------------------------------------------------


def measure(rounds: int, root: Path) -> None:
    """Wall time of a script, from its start until its output has ended, in turn under each state of the server."""
    (root / "server").mkdir()
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(running_server(root / "server", args=("--init",)))
        with socket.create_server(("127.0.0.1", 0)) as bound:
            nobody = f"http://127.0.0.1:{bound.getsockname()[1]}"
        hanging, slow = (stack.enter_context(behaving(server.url, wait)) for wait in (None, SLOW_S))
        cases = {
            "not captured": ("", None),
            "its own archive": (LINE, ""),
            "server well": (LINE, server.url),
            "server dead": (LINE, nobody),
            "server hangs": (LINE, hanging),
            f"server slow ({SLOW_S:.0f} s)": (LINE, slow),
        }
        times: dict[str, list[float]] = {name: [] for name in cases}
        for number in range(rounds):
            for place, (name, (line, url)) in enumerate(cases.items()):
                project = root / f"project-{place}"
                project.mkdir(exist_ok=True)
                (project / "in.bin").write_bytes(random.Random(number).randbytes(1 << 20) * 32)
                (project / "script.py").write_text(SCRIPT.format(line=line))
                environment = {**os.environ, "WHEREFROM_TOKEN": server.token or ""}
                environment |= {} if url is None else {"WHEREFROM_URL": url}
                start = time.perf_counter()
                # Its output has ended when nobody holds stderr any more: not the recorder, either.
                subprocess.run(
                    [sys.executable, "script.py"], cwd=project, env=environment, check=True, capture_output=True
                )
                times[name].append(time.perf_counter() - start)
                stop_recorders(project)
    bare = statistics.median(times["its own archive"])
    print(f"a script that reads 32 MiB and writes them, medians of {rounds}")
    for name, seconds in times.items():
        median = statistics.median(seconds)
        print(f"  {name:20} {1000 * median:8.0f} ms  ({1000 * (median - bare):+.0f} ms to its own archive)")


@contextlib.contextmanager
def behaving(url: str, wait_s: float | None):
    """The URL of something that passes on to a server after so many seconds; None: never, but takes connections."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        taken: list[socket.socket] = []

        def pump(source: socket.socket, target: socket.socket, pause_s: float) -> None:
            with contextlib.suppress(OSError):
                while data := source.recv(65536):
                    time.sleep(pause_s)
                    target.sendall(data)
                target.shutdown(socket.SHUT_WR)

        def take() -> None:
            with contextlib.suppress(OSError):
                while True:
                    near, _ = listening.accept()
                    taken.append(near)
                    if wait_s is not None:
                        far = socket.create_connection((host, int(port)))
                        taken.append(far)
                        for pair in ((near, far, wait_s), (far, near, 0.0)):
                            threading.Thread(target=pump, args=pair, daemon=True).start()

        threading.Thread(target=take, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        for connection in taken:
            connection.close()


def stop_recorders(project: Path) -> None:
    """End the recorders that still send for a folder: their time is not the program's, and they take the machine's."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if b"wherefrom.capture.recorder" in words and str(project).encode() in words:
                os.kill(int(path.parent.name), signal.SIGTERM)


if __name__ == "__main__":
    main()
