"""Servers killed while SDK clients with outboxes send to them. One client process plays many SDK clients.

A client process is told what to do by its arguments, in JSON, and ends when its standard input does; it prints one JSON
object a line for each statement that it believes in: `kept` when it is in the outbox, `sent` when the server gave a
receipt for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from events import dataset, event
from live_server import LiveServer, running_server

from wherefrom import Client
from wherefrom.archive import Archive
from wherefrom.capture import list_parcels, list_refused
from wherefrom.capture.recorder.delivering import make_sender
from wherefrom.capture.recorder.sender import Courier
from wherefrom.capture.recorder.sink import RemoteSink, open_producer_key
from wherefrom.capture.remote import Remote
from wherefrom.errors import UnavailableError
from wherefrom.notes import SigningKey
from wherefrom.statements import Statement, event_kind_of, format_statement, sign_envelope

DEADLINE_S = 120


# --- a client process ------------------------------------------------------------------------------------------------


def digest_of(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


def statements_of(name: str, number: int) -> list[Statement]:
    """What a run records: two statements at once now and then, one else."""
    run = f"{name}-{number}"
    inputs, outputs = [dataset("in", run)], [dataset("out", run)]
    whole = [event(run, inputs, outputs)]
    return [event(run, kind="START", at="2026-11-21T07:00:00Z"), *whole] if number % 3 == 0 else whole


def play_sdk(
    say: Callable[..., None], stop: threading.Event, *, root: str, url: str, token: str, name: str, pause_s: float
) -> None:
    """Record into the outbox of a folder, which a courier empties, until told to stop; then empty it."""
    sender = make_sender(root, Remote(url, token, None, 0))
    courier = Courier(sender, url=url)
    sink = RemoteSink(root, "test", open_producer_key(root, "test"), on_kept=courier.notify)
    number, begun = 0, uuid.uuid4().hex[:8]
    while not stop.is_set():
        wanted = statements_of(f"{name}-{begun}", number)
        sink.record(*wanted)
        say(client=name, kept=[digest_of(format_statement(statement)) for statement in wanted])
        number += 1
        stop.wait(random.uniform(0, 2 * pause_s))
    deadline = time.monotonic() + DEADLINE_S
    while list_parcels(root) and time.monotonic() < deadline:
        courier.notify()
        time.sleep(0.05)
    courier.finish(DEADLINE_S)


def play_direct(
    say: Callable[..., None], stop: threading.Event, *, root: str, url: str, token: str, name: str, pause_s: float
) -> None:
    """Send signed statements with `Client`, each batch until it has receipts."""
    client, key = Client(url, token, timeout_s=10, attempts=2), SigningKey.generate(f"test/{name}")
    number, begun, is_known = 0, uuid.uuid4().hex[:8], False
    while not stop.is_set():
        wanted = statements_of(f"{name}-{begun}", number)
        envelopes = [sign_envelope(format_statement(s), {key.verifier_key.label: key}) for s in wanted]
        try:
            if not is_known:
                client.register_key(key.verifier_key)
                is_known = True
            sent = client.send_envelopes(envelopes)
        except UnavailableError:
            stop.wait(0.05)
            continue
        if errors := [receipt.error for receipt in sent if receipt.error]:
            if all(isinstance(error, UnavailableError) for error in errors):
                continue
            raise errors[0]
        digests = [digest_of(envelope.payload) for envelope in envelopes]
        say(client=name, sent=[[d, r.index, r.statement_id] for d, r in zip(digests, sent, strict=True)])
        number += 1
        stop.wait(random.uniform(0, 2 * pause_s))


PARTS = {"sdk": play_sdk, "direct": play_direct}


def play(parts: list[dict[str, Any]]) -> None:
    """Play each part in a thread until standard input ends; any failure ends the process with status 1."""
    stop, lock, failures = threading.Event(), threading.Lock(), []

    def say(**said: Any) -> None:
        with lock:
            print(json.dumps(said), flush=True)

    def work(part: dict[str, Any]) -> None:
        try:
            PARTS[part.pop("part")](say, stop, **part)
        except Exception as error:  # noqa: BLE001 - each is a failure of what is under test
            failures.append(f"{type(error).__name__}: {error}")
            stop.set()

    threads = [threading.Thread(target=work, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    for thread in threads:
        thread.join()
    if failures:
        print("\n".join(failures), file=sys.stderr)
    sys.stdout.flush()
    os._exit(1 if failures else 0)


# --- the one that kills ----------------------------------------------------------------------------------------------


class ClientProcess:
    """SDK clients in one process, and what they have said. May be killed, and started again on the same folders."""

    def __init__(self, parts: list[dict[str, Any]], log: Path) -> None:
        self._parts, self._log = parts, log
        self.said: list[dict[str, Any]] = []
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, __file__, json.dumps(self._parts)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._reader = threading.Thread(target=self._read, args=(self._process,))
        self._reader.start()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        for line in process.stdout or ():
            if line.endswith(b"}\n"):  # a killed process may leave half a line
                self.said.append(json.loads(line))

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        self._reap()

    def finish(self) -> str:
        """Have it stop recording, and send all that is left; what it said went wrong, "" for nothing."""
        if self._process.stdin:
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2 * DEADLINE_S)
        status = self._process.poll()
        self.kill()
        return "" if status == 0 else f"a client process ended with {status}: {self._log.read_text()[-2000:]}"

    def _reap(self) -> None:
        self._process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()


@dataclass
class Chaos:
    """What it came to. `failures` is empty when all that was believed is true."""

    kills: int = 0
    client_kills: int = 0
    kept: int = 0
    sent: int = 0
    entries: int = 0
    down_s: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class Stage:
    """A server on a port of its own that may be killed and started again, and clients that send to it."""

    def __init__(
        self, root: Path, *, processes: int, sdk: int, direct: int, pause_s: float, dice: random.Random
    ) -> None:
        """So many client `processes`, each with so many `sdk` clients and `direct` ones, that pause between runs."""
        self.root, self.dice, self.result = root, dice, Chaos()
        self._serving: contextlib.ExitStack | None = None
        self._shape = (processes, sdk, direct)
        self._pause_s = pause_s
        self.port = free_port()
        self.clients: list[ClientProcess] = []

    @contextmanager
    def playing(self, *, database: str | None = None) -> Iterator[None]:
        """Server and clients at work; afterwards all is sent, and looked at."""
        (self.root / "server").mkdir()
        options = ("--database", database) if database else ()
        server = self.serve("--init", "--namespace", "test", *options)
        try:
            for process in range(self._shape[0]):
                self.clients.append(ClientProcess(self._parts(process, server), self.root / f"clients-{process}.log"))
            yield
            self.result.failures += filter(None, [client.finish() for client in self.clients])
        finally:
            for client in self.clients:
                client.kill()
            self.stop()
        self.judge()

    def _parts(self, process: int, server: LiveServer) -> list[dict[str, Any]]:
        _, sdk, direct = self._shape
        parts = []
        for part, count in (("sdk", sdk), ("direct", direct)):
            for number in range(count):
                name = f"{part}-{process}-{number}"
                (self.root / name).mkdir()
                to = {"url": server.url, "token": server.token, "pause_s": self._pause_s}
                parts.append({"part": part, "root": str(self.root / name), "name": name, **to})
        return parts

    # The server

    def serve(self, *arguments: str) -> LiveServer:
        self._serving = contextlib.ExitStack()
        args = ("--port", str(self.port), *arguments)
        self._server = self._serving.enter_context(running_server(self.root / "server", args=args))
        return self._server

    def stop(self) -> None:
        if self._serving:
            self._serving.close()
            self._serving = None

    def kill_server(self) -> None:
        """SIGKILL, at any moment of its work, and start it again."""
        self._server.process.send_signal(signal.SIGKILL)
        self._server.process.wait(DEADLINE_S)
        began = time.monotonic()
        self.stop()
        self.serve()
        self.result.down_s.append(time.monotonic() - began)
        self.result.kills += 1

    def kill_clients(self) -> None:
        """SIGKILL one client process, and start it again on the same outboxes."""
        client = self.dice.choice(self.clients)
        client.kill()
        client.start()
        self.result.client_kills += 1

    def await_work(self, count: int = 10) -> None:
        """Until the server has acknowledged so many statements more, and a random moment beyond that."""
        before, deadline = self.sizes(), time.monotonic() + DEADLINE_S
        while self.sizes() < before + count:
            if time.monotonic() > deadline or not all(client.is_alive for client in self.clients):
                raise RuntimeError(f"nothing is recorded any more: {self._tell_logs()}")
            time.sleep(0.02)
        time.sleep(self.dice.uniform(0, 0.2))

    def sizes(self) -> int:
        """Entries of the ledger."""
        with contextlib.closing(Archive.find(self.root / "server")) as archive:
            return archive.size()

    def _tell_logs(self) -> str:
        logs = [*self.root.glob("clients-*.log"), *(self.root / "server").glob(".server-*.log")]
        return "\n".join(f"{path.name}: {path.read_text()[-1500:]}" for path in sorted(logs)[-3:])

    # The truth

    def judge(self) -> None:
        """Hold what clients believed against what is in the archive."""
        result, failures = self.result, self.result.failures
        with contextlib.closing(Archive.find(self.root / "server")) as archive:
            found: dict[str, list[tuple[int, str]]] = defaultdict(list)
            for recorded in archive.iter_recorded():
                if event_kind_of(recorded.entry.kind):
                    found[digest_of(recorded.envelope.payload)].append((recorded.index, recorded.statement_id))
            result.entries = archive.size()
            for what, problems in archive.check():
                failures += [f"{what}: {problem}" for problem in problems]
        twice = {digest: places for digest, places in found.items() if len(places) != 1}
        failures += [f"statement {digest[:12]} is recorded at {places}" for digest, places in twice.items()]
        kept, sent = self._believed()
        result.kept, result.sent = sum(map(len, kept.values())), len(sent)
        for name, digests in kept.items():
            missing = [digest for digest in digests if digest not in found]
            if missing:
                failures.append(f"{name}: {len(missing)} of {len(digests)} statements of its outbox are not recorded")
            places = [found[digest][0][0] for digest in digests if digest in found]
            if places != sorted(places):
                failures.append(f"{name}: its statements are not in the order in which it recorded them")
        for digest, index, statement_id in sent:
            if (index, statement_id) not in found.get(digest, []):
                failures.append(f"a receipt says {index}, {statement_id}; the ledger has {found.get(digest)}")
        for folder in self.root.glob("sdk-*"):
            failures += [f"{path} was never sent" for path in list_parcels(folder)]
            failures += [f"{path}: {path.read_text()[-500:]}" for path in list_refused(folder)]
        doubled = [d for d, n in Counter(d for digests in kept.values() for d in digests).items() if n > 1]
        failures += [f"the test itself recorded {digest} twice" for digest in doubled]

    def _believed(self) -> tuple[dict[str, list[str]], list[tuple[str, int, str]]]:
        """Digests of payloads that each SDK client kept, in order; (digest, index, id) of each receipt."""
        kept: dict[str, list[str]] = defaultdict(list)
        sent: list[tuple[str, int, str]] = []
        for client in self.clients:
            for said in client.said:
                kept[said["client"]] += said.get("kept", [])
                sent += [(digest, index, statement_id) for digest, index, statement_id in said.get("sent", [])]
        return kept, sent


def free_port() -> int:
    """One that no outgoing connection takes while the server is down."""
    dice = random.SystemRandom()
    while True:
        port = dice.randrange(20000, 32000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


if __name__ == "__main__":
    play(json.loads(sys.argv[1]))
