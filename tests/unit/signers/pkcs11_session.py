"""Run by test_pkcs11 in a process of its own: makes tokens in a folder, tries things, prints what came of each."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism

from wherefrom.errors import WherefromError
from wherefrom.signers import files, open_device, open_signer, write_device_key

MODULE, FOLDER = sys.argv[1], Path(sys.argv[2])
NAME = "example.com/log"
ED25519_OID = bytes.fromhex("06032b6570")


def uri(**changes: str) -> str:
    path = {"token": changes.get("on", "ledger"), "object": changes.get("object", "log"), "id": changes.get("id")}
    module, pin = changes.get("module", MODULE), changes.get("pin", "&pin-value=1234")
    return f"pkcs11:{';'.join(f'{k}={v}' for k, v in path.items() if v)}?module-path={module}{pin}"


def make_key(session: pkcs11.Session, label: str, key_id: bytes) -> None:
    parameters = session.create_domain_parameters(KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: ED25519_OID}, local=True)
    parameters.generate_keypair(mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN, store=True, label=label, id=key_id)


def attempt(what: str, work: Callable[[], object]) -> None:
    try:
        work()
        print(f"{what}: yes")
    except WherefromError as error:
        print(f"{what}: {type(error).__name__} {error}".replace("\n", " "))


def sign(text: str) -> None:
    signer = open_device(text, NAME)
    signer.verifier_key.verify(b"message", signer.sign(b"message"))


def sign_in_threads() -> None:
    signer = open_device(uri(), NAME)
    done: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: done.extend(signer.sign(b"%d" % i) for i in range(20))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 40


def sign_in_child() -> None:
    child = os.fork()
    if child == 0:
        try:
            sign(uri())
        except BaseException as error:  # noqa: BLE001 - the parent must hear of it, and nothing else may run here
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    sign(uri())


def sign_with_pin_from_file() -> None:
    (FOLDER / "pin").write_text("1234\n")
    os.environ["WHEREFROM_PASSPHRASE_FILE"] = str(FOLDER / "pin")
    sign(uri(on="other-pin", pin=""))


def replace_key() -> None:
    path = FOLDER / "key"
    write_device_key(path, open_device(uri(object="log", id="%01"), NAME).verifier_key, uri(object="", id="%02"))
    open_signer(path)


def sign_by_file() -> None:
    path = FOLDER / "key-file"
    write_device_key(path, open_device(uri(), NAME).verifier_key, uri())
    signer = open_signer(path)
    signer.verifier_key.verify(b"message", signer.sign(b"message"))
    assert files.read_verifier_key(path) == signer.verifier_key


def main() -> None:
    (FOLDER / "tokens").mkdir()
    (FOLDER / "conf").write_text(f"directories.tokendir = {FOLDER}/tokens\nobjectstore.backend = file\n")
    os.environ["SOFTHSM2_CONF"] = str(FOLDER / "conf")
    for label in ("ledger", "other-pin"):
        command = ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", "1234", "--so-pin", "5678"]
        subprocess.run([*command, "--module", MODULE], check=True, capture_output=True)
    library = pkcs11.lib(MODULE)
    for label in ("ledger", "other-pin"):
        with library.get_token(token_label=label).open(rw=True, user_pin="1234") as session:
            for key, key_id in (("log", b"\x01"), ("producer", b"\x02"), ("twin", b"\x03"), ("twin", b"\x04")):
                make_key(session, key, key_id)
    attempt("wrong PIN", lambda: sign(uri(pin="&pin-value=9999")))
    attempt("signed by the file's key", sign_by_file)
    attempt("found by its id", lambda: sign(uri(object="", id="%02")))
    attempt("two keys of one token", lambda: (sign(uri()), sign(uri(object="producer"))))
    attempt("from two threads", sign_in_threads)
    attempt("after a fork", sign_in_child)
    attempt("PIN by WHEREFROM_PASSPHRASE_FILE", sign_with_pin_from_file)
    attempt("no such token", lambda: sign(uri(on="other")))
    attempt("no such key", lambda: sign(uri(object="other")))
    attempt("two keys of one label", lambda: sign(uri(object="twin")))
    attempt("key replaced behind the file", replace_key)
    attempt("no such module", lambda: sign(uri(module="/nowhere.so")))
    attempt("a module that is none", lambda: sign(uri(module=str(FOLDER / "conf"))))


main()
