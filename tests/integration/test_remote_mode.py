"""Runs that are recorded by a server: the program never waits for it, and whatever happens, all arrives once."""

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from live_server import running_server

from wherefrom import Client
from wherefrom.archive import Archive
from wherefrom.archive.granting import grant, issue_token
from wherefrom.capture import list_parcels, list_waiting
from wherefrom.errors import FormatError, NotFoundError
from wherefrom.notes import SigningKey, TrustedLog, TrustPolicy
from wherefrom.signers import encrypt_key, write_key
from wherefrom.statements import event_kind_of

pytest.importorskip("fastapi", reason="fastapi is not installed: the extra `server` has it")

DEADLINE_S = 60
AUTOLOG = "import wherefrom; wherefrom.autolog()\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_server(tmp_path_factory.mktemp("server"), args=("--init", "--namespace", "team")) as started:
        yield started


@pytest.fixture
def archive(server):
    """The server's own, read behind its back."""
    with contextlib.closing(Archive.find(server.log.parent)) as opened:
        yield opened


class Project:
    """A folder whose scripts are recorded by a server, whose URL is in `url`; its name is its namespace."""

    def __init__(self, root, url, token):
        self.root = root
        self.url = url
        self.token = token

    @property
    def environment(self):
        given = {"WHEREFROM_URL": self.url, "WHEREFROM_TOKEN": self.token}
        inherited = {k: v for k, v in os.environ.items() if k not in given}
        return inherited | {k: v for k, v in given.items() if v is not None}

    def start(self, text, name="script.py"):
        (self.root / name).write_text(AUTOLOG + text)
        command = [sys.executable, name]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=self.root, env=self.environment, **pipes)

    def run(self, text, name="script.py"):
        """Run a script to its end, and to that of what it prints: what it said on stderr."""
        with self.start(text, name) as process:
            out, err = process.communicate(timeout=DEADLINE_S)
        assert (process.returncode, out) == (0, "goes on\n"), err
        return err

    def cli(self, *words, **environment):
        code = "from wherefrom.cli import main; main()"
        command, environment = [sys.executable, "-c", code, *words], self.environment | environment
        return subprocess.run(
            command, cwd=self.root, env=environment, check=False, capture_output=True, text=True, timeout=120
        )

    def events(self, archive):
        """(job, event type) of what the server has of this project, in the order of its ledger."""
        found = []
        for recorded in archive.iter_recorded():
            predicate = recorded.statement.predicate
            if event_kind_of(recorded.entry.kind) and predicate["job"]["namespace"] == self.root.name:
                found.append((predicate["job"]["name"], predicate["eventType"]))
        return found

    def recorders(self):
        """The process ids of recorders that work for this folder."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = path.read_bytes().split(b"\0")
                if b"wherefrom.capture.recorder" in words and str(self.root).encode() in words:
                    found.append(int(path.parent.name))
        return found

    def stop_recorders(self, how=signal.SIGTERM):
        for pid in self.recorders():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)
        wait_for(lambda: not self.recorders())


@pytest.fixture
def project(tmp_path, server, request):
    root = tmp_path.resolve() / f"project-{tmp_path.name[-30:].strip('-_')}"
    root.mkdir()
    made = Project(root, server.url, server.token)
    yield made
    made.stop_recorders()


def wait_for(condition):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextlib.contextmanager
def hanging():
    """The URL of a server that takes connections and never answers, and an event: somebody has connected."""
    connected, taken = threading.Event(), []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def take():
            with contextlib.suppress(OSError):
                while True:
                    taken.append(listening.accept()[0])
                    connected.set()

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", connected
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(DEADLINE_S)
            for connection in taken:
                connection.close()


def unused_url():
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return f"http://127.0.0.1:{bound.getsockname()[1]}"


def test_a_run_is_recorded_by_the_server_signed_by_the_project_and_no_archive_is_made(project, archive):
    (project.root / "in.csv").write_text("a,b\n1,2\n")
    err = project.run("open('in.csv').read(); open('out.txt', 'w').write('x'); print('goes on')")
    assert "warning" not in err
    wait_for(lambda: project.events(archive) == [("script.py", "START"), ("script.py", "COMPLETE")])
    *_, last = archive.iter_recorded()
    assert last.entry.key_ids[0].startswith(f"{project.root.name}/")
    assert [d["name"] for d in last.statement.predicate["inputs"]] == ["in.csv"]
    assert [d["name"] for d in last.statement.predicate["outputs"]] == ["out.txt"]
    assert not (project.root / ".wherefrom" / "archive.db").exists()
    wait_for(lambda: list_parcels(project.root) == [])
    assert list_waiting(project.root) == []


def test_the_client_asks_what_was_recorded_follows_it_and_checks_it_by_the_trust_file(project, archive, server):
    client = Client(server.url, server.token, trust=archive.trust_file)
    start = archive.size()
    (project.root / "in.csv").write_text("a,b\n1,2\n")
    project.run("open('in.csv').read(); open('out.txt', 'w').write('x'); print('goes on')")
    space, events = project.root.name, client.live(start=start)
    ours = (event.data for event in events if event.data.get("job", {}).get("namespace") == space)
    told = list(itertools.islice(ours, 2))
    events.close()
    wait_for(lambda: len(project.events(archive)) == 2)
    made = f"dataset:{space}:out.txt"
    lineage = client.lineage(made, direction="up")
    assert {node["id"] for node in lineage["nodes"]} >= {made, f"dataset:{space}:in.csv", f"job:{space}:script.py"}
    assert client.impact(f"dataset:{space}:in.csv")["total"] == {"datasets": 1, "jobs": 1}
    assert client.path(f"dataset:{space}:in.csv", made)["found"]["connected"]
    assert client.search("out.txt", namespace=space)["results"][0]["id"] == made
    assert client.entity(made)["madeBy"][0]["id"] == f"job:{space}:script.py"
    [run] = client.runs(job=f"job:{space}:script.py")["runs"]
    assert client.run(run["runId"])["state"] == "COMPLETE"
    assert client.diff(made, start)["edgesCame"]
    with pytest.raises(NotFoundError):
        client.lineage(f"dataset:{space}:nothing")
    # and what it is told, it can check
    index = told[0]["index"]
    assert client.statement(index)["statementId"] == client.proof(index)["statementId"]
    assert client.read_checkpoint().size > index
    stranger = SigningKey.generate(archive.origin).verifier_key
    with pytest.raises(FormatError, match="your trust file names"):
        Client(server.url, server.token, trust=TrustPolicy((TrustedLog(stranger),))).checkpoint()


def test_what_could_not_be_sent_waits_and_the_next_run_sends_it_in_order(project, archive):
    (project.root / "wherefrom.toml").write_text("[server]\nsend_for_s = 0\n")
    url, project.url = project.url, unused_url()
    with project.start("input(); print('goes on')", "first.py") as process:
        said = next(line for line in process.stderr if "warning" in line)
        out, err = process.communicate("\n", timeout=DEADLINE_S)
    assert (process.returncode, out, "warning" in err) == (0, "goes on\n", False), "it is said once"
    assert f"warning: nothing can be sent to the server now: POST {project.url}/v1/statements" in said
    wait_for(lambda: not project.recorders())
    assert project.events(archive) == []
    assert len(list_parcels(project.root)) == 2
    said = project.cli("outbox")
    assert "2 statements in 2 files" in said.stdout
    failed = project.cli("outbox", "send")
    assert (failed.returncode, failed.stdout) == (3, f"sent 0 statements to {project.url}\n")
    project.url = url
    (project.root / "wherefrom.toml").unlink()
    assert "warning" not in project.run("print('goes on')", "second.py")
    states = ("START", "COMPLETE")
    expected = [("first.py", state) for state in states] + [("second.py", state) for state in states]
    wait_for(lambda: project.events(archive) == expected)


def test_a_server_that_hangs_holds_up_neither_the_program_nor_who_reads_its_output(project, archive):
    url = project.url
    with hanging() as (project.url, connected):
        # `run` reads stderr to its end: that comes although the recorder goes on for a minute.
        project.run("import time\ntime.sleep(0.1)\nprint('goes on')")
        wait_for(connected.is_set)
        assert project.recorders()
    project.stop_recorders(signal.SIGKILL)
    project.url = url
    sent = project.cli("outbox", "send", "--json")
    assert (sent.returncode, json.loads(sent.stdout)["sent"]) == (0, 2)
    assert project.events(archive) == [("script.py", "START"), ("script.py", "COMPLETE")]
    again = project.cli("outbox", "send")
    assert again.stdout == f"sent 0 statements to {url}\n"


def test_a_recorder_goes_on_for_some_time_after_the_program_until_the_server_is_there(project, archive):
    port = int(project.url.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", 0)) as listening:
        project.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        project.run("print('goes on')")
        assert project.events(archive) == []
        listening.settimeout(DEADLINE_S)
        connection, _ = listening.accept()  # the recorder, which the program has not waited for
        connection.close()
        with forwarded(listening, port):
            wait_for(lambda: len(project.events(archive)) == 2)
            wait_for(lambda: not project.recorders())
    assert list_parcels(project.root) == []


@contextlib.contextmanager
def forwarded(listening, port):
    """Pass on what comes to a listening socket to a port, until the block ends."""
    stopped, threads = threading.Event(), []

    def pump(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def take():
        listening.settimeout(0.1)
        while not stopped.is_set():
            try:
                near, _ = listening.accept()
            except OSError:
                continue
            far = socket.create_connection(("127.0.0.1", port))
            ends.extend([near, far])
            for pair in ((near, far), (far, near)):
                threads.append(threading.Thread(target=pump, args=pair))
                threads[-1].start()

    ends = []
    taker = threading.Thread(target=take)
    taker.start()
    try:
        yield
    finally:
        stopped.set()
        taker.join(DEADLINE_S)
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(DEADLINE_S)
        for end in ends:
            end.close()


def test_runs_that_end_at_once_are_all_there_once(project, archive):
    processes = [project.start("print('goes on')", f"script{number}.py") for number in range(3)]
    for process in processes:
        with process:
            out, err = process.communicate(timeout=DEADLINE_S)
            assert (out, "warning" in err) == ("goes on\n", False)
    expected = sorted((f"script{n}.py", state) for n in range(3) for state in ("START", "COMPLETE"))
    wait_for(lambda: sorted(project.events(archive)) == expected)
    wait_for(lambda: not project.recorders())
    assert sorted(project.events(archive)) == expected
    assert list_parcels(project.root) == []


def test_a_run_whose_recorder_was_killed_is_sent_by_a_later_one_and_not_before_it_has_ended(project, archive):
    text = "print('begun', flush=True); input(); open('out.txt', 'w').write('x'); print('lost', flush=True); input()"
    with project.start(text, "long.py") as process:
        assert process.stdout.readline() == "begun\n"
        wait_for(lambda: project.events(archive) == [("long.py", "START")])
        project.stop_recorders(signal.SIGKILL)
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "lost\n"
        project.run("print('goes on')", "next.py")
        wait_for(lambda: not project.recorders())
        assert len(list_waiting(project.root)) == 1
        assert [event for event in project.events(archive) if event[0] == "long.py"] == [("long.py", "START")]
        assert "the recorder is gone" in process.communicate("\n", timeout=DEADLINE_S)[1]
    project.run("print('goes on')", "last.py")
    wait_for(lambda: ("long.py", "COMPLETE") in project.events(archive))
    wait_for(lambda: not project.recorders())
    assert [event for event in project.events(archive) if event[0] == "long.py"] == [
        ("long.py", "START"),
        ("long.py", "COMPLETE"),
    ]
    assert list_waiting(project.root) == []


def test_a_token_that_may_not_write_here_leaves_all_waiting_and_says_so(project, archive):
    who = f"service:{project.root.name}"
    grant(archive, who, "producer", "elsewhere", by="tests")
    project.token, _, _ = issue_token(archive, who, by="tests")
    (project.root / "wherefrom.toml").write_text("[server]\nsend_for_s = 0\n")
    project.run("import time; time.sleep(1); print('goes on')")
    wait_for(lambda: not project.recorders())
    assert len(list_parcels(project.root)) == 2
    failed = project.cli("outbox", "send")
    assert failed.returncode == 3
    assert "may not" in failed.stderr or "is left" in failed.stderr
    grant(archive, who, "producer", project.root.name, by="tests")
    wait_for(lambda: project.cli("outbox", "send").returncode == 0)
    assert project.events(archive) == [("script.py", "START"), ("script.py", "COMPLETE")]


def test_the_file_may_say_where_to_and_the_token_lies_beside_the_key(project, archive, server):
    (project.root / "wherefrom.toml").write_text(f'[server]\nurl = "{project.url}"\n')
    (project.root / ".wherefrom").mkdir()
    (project.root / ".wherefrom" / "token").write_text(f"{server.token}\n")
    project.url, project.token = None, "wft_of_another_server"
    project.run("print('goes on')")
    wait_for(lambda: len(project.events(archive)) == 2)


def test_a_key_that_asks_for_a_passphrase_leaves_statements_unsigned_until_somebody_gives_it(project, archive):
    path = project.root / ".wherefrom" / "keys" / "producer"
    path.parent.mkdir(parents=True)
    write_key(path, SigningKey.generate("example.com/producer"))
    encrypt_key(path, "open sesame")
    err = project.run("print('goes on')")
    assert "the outbox for the server takes no records now" in err
    [waiting] = list_waiting(project.root)
    assert waiting.path.suffix == ".statements"
    wait_for(lambda: not project.recorders())
    refused = project.cli("outbox", "send")
    assert (refused.returncode, "passphrase" in refused.stderr) == (3, True)
    assert project.events(archive) == []
    (project.root / "passphrase").write_text("open sesame\n")
    sent = project.cli("outbox", "send", WHEREFROM_PASSPHRASE_FILE=str(project.root / "passphrase"))
    assert (sent.returncode, sent.stdout) == (0, f"sent 2 statements to {project.url}\n")
    assert project.events(archive) == [("script.py", "START"), ("script.py", "COMPLETE")]
    *_, last = archive.iter_recorded()
    assert last.entry.key_ids[0].startswith("example.com/producer+")


def test_status_says_where_the_runs_are_and_what_waits(project, archive):
    project.run("print('goes on')")
    wait_for(lambda: not project.recorders())
    status = project.cli("status")
    assert status.stdout.splitlines() == [f"server   {project.url}", "waiting  0 statements in 0 files"]
    traced = project.cli("trace", "out.txt")
    assert (traced.returncode, traced.stderr.splitlines()[-1]) == (
        2,
        f"wherefrom: hint: its runs are recorded at {project.url}: ask there",
    )
