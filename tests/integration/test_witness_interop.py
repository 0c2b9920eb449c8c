"""Our witness serves a log that is not ours, and others' code verifies what our keys sign. Needs Go."""

import contextlib
import shutil
import subprocess
from pathlib import Path

import pytest
from http_servers import serving

from wherefrom.notes import (
    ED25519_COSIGNATURE,
    ML_DSA_44_COSIGNATURE,
    Checkpoint,
    SigningKey,
    TrustedLog,
    TrustedWitness,
    TrustPolicy,
    WitnessGroup,
    format_policy,
    format_signing_key,
    format_verifier_key,
    open_trusted,
    sign_checkpoint,
)
from wherefrom.server.witness import make_app
from wherefrom.tlog.witness import Witness
from wherefrom.tlog.witness_state import WitnessState

SOURCE = Path(__file__).parents[1] / "interop" / "go-witness"
LOG = SigningKey("example.com/tessera", bytes(range(32)))

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="needs go")


@pytest.fixture(scope="module")
def witnessed(tmp_path_factory):
    """The Go program of tests/interop/go-witness."""
    program = tmp_path_factory.mktemp("go") / "witnessed"
    done = subprocess.run(["go", "build", "-o", program, "."], cwd=SOURCE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return lambda *arguments, **more: subprocess.run(
        [program, *arguments], capture_output=True, timeout=300, check=False, **more
    )


def test_a_log_by_tessera_gets_the_quorum_of_its_policy_from_our_witnesses(witnessed, tmp_path):
    keys = [SigningKey(f"witness.example/{i}", bytes([i] * 32), ED25519_COSIGNATURE) for i in range(3)]
    with contextlib.ExitStack() as stack:
        lines = []
        for i, key in enumerate(keys):
            state = stack.enter_context(contextlib.closing(WitnessState.create(tmp_path / f"state-{i}")))
            url = stack.enter_context(serving(make_app(Witness([key], [LOG.verifier_key], state))))
            lines.append(TrustedWitness(b"W%d" % i, key.verifier_key, url.encode()))
        group = WitnessGroup(b"most", 2, (b"W0", b"W1", b"W2"))
        policy = TrustPolicy((TrustedLog(LOG.verifier_key),), tuple(lines), (group,), b"most")
        (tmp_path / "policy").write_bytes(format_policy(policy))
        done = witnessed("log", tmp_path / "log", format_signing_key(LOG), tmp_path / "policy", "4")
        assert done.returncode == 0, done.stderr
        trusted = open_trusted(done.stdout, policy)
    assert trusted.checkpoint.size == 4
    assert len(trusted.cosignatures) >= 2


def test_what_our_keys_sign_opens_elsewhere_and_changed_it_does_not(witnessed):
    keys = [
        LOG,
        *(SigningKey("witness.example", bytes([t] * 32), t) for t in (ED25519_COSIGNATURE, ML_DSA_44_COSIGNATURE)),
    ]
    vkeys = [format_verifier_key(key.verifier_key) for key in keys]
    data = sign_checkpoint(Checkpoint(LOG.name, 7, bytes(range(32))), *keys, time_s=1_700_000_000)
    assert witnessed("open", *vkeys, input=data).stdout == b"3\n"
    assert witnessed("open", *vkeys, input=data.replace(b"\n7\n", b"\n8\n")).returncode == 1
    for position in (-3000, -40):
        changed = data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]
        assert witnessed("open", *vkeys, input=changed).returncode == 1
