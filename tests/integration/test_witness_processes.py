"""The witness as processes: killed at any moment, or two on one state, it never signs two histories of a log."""

import contextlib
import subprocess
import sys
import threading
from hashlib import sha256
from pathlib import Path

import pytest
from grown_log import GrownLog

from wherefrom import fetch
from wherefrom.cli import main
from wherefrom.errors import UnavailableError
from wherefrom.notes import (
    ED25519_COSIGNATURE,
    ML_DSA_44_COSIGNATURE,
    format_verifier_key,
    open_note,
    parse_signing_key,
)
from wherefrom.signers import open_signer
from wherefrom.tlog.witness_state import WitnessState

ORIGIN_HASH = sha256(GrownLog().origin.encode()).hexdigest()
FORK = 3
BRANCHES = (GrownLog(fork=FORK), GrownLog())


SERVE = """
from pathlib import Path
from wherefrom.notes import parse_verifier_key
from wherefrom.server.running import run
from wherefrom.server.witness import make_app
from wherefrom.signers import open_signer
from wherefrom.tlog.witness import Witness
from wherefrom.tlog.witness_state import WitnessState
import sys
signers = [open_signer(Path(name)) for name in ("witness.key", "witness.key.ml-dsa-44")]
witness = Witness(signers, [parse_verifier_key(sys.argv[1])], WitnessState.open(Path("witness.state")))
run(make_app(witness), host="127.0.0.1", port=0, announce=lambda url: print(url, flush=True))
"""
LOG_KEY = format_verifier_key(GrownLog().verifier_keys[0])


@pytest.fixture
def command(monkeypatch, tmp_path):
    """Runs `wherefrom witness …` in this process, in the folder of the witness; gives its status."""

    def run(*arguments):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["wherefrom", "witness", *arguments])
        try:
            main()
        except SystemExit as stopped:
            return stopped.code or 0
        return 0

    return run


@pytest.fixture
def folder(command, tmp_path):
    assert command("init", "witness.example/w", "--hybrid") == 0
    return tmp_path


@contextlib.contextmanager
def witness(folder, *serve):
    """The process, and the URL it says on its first line."""
    serve = serve or ("-c", SERVE, LOG_KEY)
    with subprocess.Popen([sys.executable, *serve], cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip().rstrip("/")
            assert url.startswith("http://127.0.0.1:"), process.wait(60)
            yield process, url
        finally:
            process.kill()
            process.wait(60)


def keys_of(folder):
    lines = [(folder / name).read_text().strip() for name in ("witness.key", "witness.key.ml-dsa-44")]
    return [parse_signing_key(line).verifier_key for line in lines]


def add(url, body):
    return fetch.post(f"{url}/add-checkpoint", body, content_type="text/plain", timeout_s=60)


def race(urls, cosigned, stop):
    """Writers for both branches ask all the witnesses to go on from wherever they are; what is cosigned is noted.

    `stop(n)` says whether n cosignatures were enough. Returns when all writers are done.
    """
    lock = threading.Lock()

    def write(branch, url, step):
        size = 0
        while not stop(len(cosigned)):
            try:
                new = size + step
                reply = add(url, BRANCHES[branch].request(size, new))
            except UnavailableError:
                return  # killed
            if reply.status == 200:
                with lock:
                    cosigned.append((new, branch, reply.body))
                size = new
            elif reply.status == 409:
                size = int(reply.body)
            else:
                assert reply.status == 422, reply
                return  # the other branch has won

    writers = [
        threading.Thread(target=write, args=(branch, url, step))
        for url in urls
        for branch, step in ((0, 1), (1, 1), (1, 2), (0, 3))
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
        assert not writer.is_alive()


def verify_one_history(folder, cosigned):
    for size, branch, body in cosigned:
        assert len(open_note(BRANCHES[branch].note(size) + body, keys_of(folder)).cosignatures) == 2
    branches = {branch for size, branch, _ in cosigned if size > FORK}
    assert len(branches) <= 1, "two histories were cosigned"
    return branches


def test_killed_at_any_moment_it_never_goes_back_nor_signs_a_fork(folder):
    cosigned, target = [], 0
    for _ in range(4):
        with witness(folder) as (process, url):
            newest = max((size for size, _, _ in cosigned), default=0)
            served = fetch.get(f"{url}/{ORIGIN_HASH}/checkpoint")
            assert (served.status == 200) == bool(cosigned)
            if cosigned:  # what it said is what it still knows, or it had stored more than it came to say
                assert int(served.body.split(b"\n")[1]) >= newest
            target += 12

            def stop(count, process=process, target=target):
                if count >= target:
                    process.kill()  # while other requests are under way
                return count >= target

            race([url], cosigned, stop)
        assert verify_one_history(folder, cosigned)
    [branch] = verify_one_history(folder, cosigned)
    state = WitnessState.open(folder / "witness.state")
    head = state.read_head(GrownLog().origin)
    state.close()
    assert head.size >= max(size for size, _, _ in cosigned)
    assert head.root == BRANCHES[branch].checkpoint(head.size).root


def test_two_processes_on_one_state_are_one_witness(folder):
    cosigned = []
    with witness(folder) as (_, first), witness(folder) as (_, second):
        race([first, second], cosigned, lambda count: count >= 40)
        assert verify_one_history(folder, cosigned)
        heads = {fetch.get(f"{url}/{ORIGIN_HASH}/checkpoint").body for url in (first, second)}
    assert len(heads) == 1
    grown = [size for size, _, _ in cosigned]
    assert len(set(grown)) == len(grown), "one size was cosigned for two requests to grow"


def test_the_command_serves_until_it_is_told_to_stop(folder):
    arguments = ["witness", "serve", "--port", "0", "--log", LOG_KEY]
    with witness(folder, "-c", "from wherefrom.cli import main; main()", *arguments) as (process, url):
        reply = add(url, BRANCHES[0].request(0, 2))
        assert reply.status == 200
        assert len(open_note(BRANCHES[0].note(2) + reply.body, keys_of(folder)).cosignatures) == 1
        process.terminate()
        assert process.wait(60) == 0


def test_without_its_state_or_with_a_damaged_one_it_does_not_start(folder, command, capsys):
    state = folder / "witness.state"
    whole = state.read_bytes()
    for content, says in ((None, "no witness's state"), (whole[: len(whole) // 2], "damaged"), (b"", "damaged")):
        state.unlink() if content is None else state.write_bytes(content)
        assert command("serve", "--port", "0", "--log", LOG_KEY) in {2, 3}
        assert says in capsys.readouterr().err


def test_without_a_log_it_does_not_start(folder, command, capsys):
    assert command("serve", "--port", "0") == 2
    assert "name at least one log" in capsys.readouterr().err


def test_sealed_keys_open_with_their_passphrase_only(tmp_path, command, capsys, monkeypatch):
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse")
    monkeypatch.setenv("WHEREFROM_PASSPHRASE_FILE", str(passphrase))
    assert command("init", "witness.example/w", "--hybrid", "--sealed") == 0
    vkeys = capsys.readouterr().out.split()
    paths = [tmp_path / "witness.key", tmp_path / "witness.key.ml-dsa-44"]
    assert not any(b"PRIVATE+KEY" in path.read_bytes() for path in paths)
    assert [format_verifier_key(open_signer(path).verifier_key) for path in paths] == vkeys
    passphrase.write_text("wrong")
    moved = [path.rename(path.with_suffix(".moved")) for path in paths]  # else the opened key would be remembered
    for path in moved:
        with pytest.raises(UnavailableError):
            open_signer(path)


def test_a_second_init_takes_nothing_away(folder, command, capsys):
    before = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    assert command("init", "witness.example/other") == 3
    assert "there is a file witness.key already" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in Path(folder).iterdir()} == before
    assert [key.key_type for key in keys_of(folder)] == [ED25519_COSIGNATURE, ML_DSA_44_COSIGNATURE]
