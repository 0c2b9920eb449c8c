"""A real PKCS#11 module, SoftHSM2, with tokens of its own in a folder of the test."""

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "pkcs11_session.py"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """What one process saw that did everything: SoftHSM reads its configuration once, so it must be a new one."""
    module = next(
        (
            p
            for p in map(Path, ("/usr/lib/softhsm/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so"))
            if p.exists()
        ),
        None,
    )
    if module is None or not shutil.which("softhsm2-util"):
        pytest.skip("needs softhsm2")
    pytest.importorskip("pkcs11", reason="needs python-pkcs11")
    folder = tmp_path_factory.mktemp("softhsm")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(module), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return dict(line.split(": ", 1) for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("signed by the file's key", "yes"),
        ("found by its id", "yes"),
        ("two keys of one token", "yes"),
        ("from two threads", "yes"),
        ("after a fork", "yes"),
        ("PIN by WHEREFROM_PASSPHRASE_FILE", "yes"),
        ("wrong PIN", "UnavailableError PKCS#11 module"),
        ("no such token", "has no tokens that the URI may mean (token=other), expected one"),
        ("no such key", "token holds no Ed25519 objects of class PUBLIC_KEY that the URI may mean (object=other"),
        ("two keys of one label", "token holds 2 Ed25519 objects"),
        ("key replaced behind the file", "pkcs11 holds example.com/log+"),
        ("no such module", "UnavailableError PKCS#11 module /nowhere.so"),
        ("a module that is none", "UnavailableError PKCS#11 module"),
    ],
)
def test_what_a_token_does(report, what, says):
    assert says in report[what]


def test_without_the_extra_it_is_named(tmp_path):
    code = """
        import sys
        sys.modules["pkcs11"] = None
        from wherefrom.errors import UnavailableError
        from wherefrom.signers import open_device
        try:
            open_device("pkcs11:object=log?module-path=/m.so", "example.com/log")
        except UnavailableError as error:
            print(error, error.hint)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False, timeout=120
    )
    assert "need an extra: wherefrom[pkcs11] pip install 'wherefrom[pkcs11]'" in done.stdout, done.stderr
