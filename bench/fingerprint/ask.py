"""Runs inside the Python of a peer, and answers in JSON what it makes of files: `python ask.py PEER < question.json`.

    {"files": [path, …], "warm": path, "cost": path}

`cost` is read and identified by the clock, after `warm`, a small file, has made the library import what it imports
late; then `files`, each with an identity or the error it met. Nothing is imported before it is timed, so this module
knows the standard library only.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import importlib.util
import json
import os
import re
import shutil
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Peer(NamedTuple):
    module: str
    """What has to be there."""
    package: str
    open: Callable[[], Callable[[Any], str]]
    """Imports the library; returns the function that identifies what `read` gave it."""
    read: Callable[[str], Any]
    place: Callable[[str], str] = str
    """Makes a file ready to be read, in ways that are no part of what the peer costs; its new path."""


def read_frame(path: str) -> Any:
    """A pandas frame of a file, as a user of pandas reads it."""
    import numpy as np
    import pandas as pd

    if path.endswith(".parquet"):
        return pd.read_parquet(path)
    if path.endswith(".csv"):
        return pd.read_csv(path, float_precision="round_trip")
    return pd.DataFrame({"value": np.fromfile(path, "<i8")})


def read_table_file(path: str) -> Any:
    """The path of a table; raw integers are no table by themselves, so somebody must read them first."""
    return read_frame(path) if path.endswith(".i64") else path


def open_records() -> Callable[[Any], str]:
    from wherefrom.fingerprints import fingerprint_records

    return lambda table: fingerprint_records(table).id


def open_files() -> Callable[[Any], str]:
    from wherefrom.fingerprints import fingerprint_files

    return lambda path: fingerprint_files(path).id


def open_pandas() -> Callable[[Any], str]:
    import pandas as pd

    # One hash for each row is what pandas offers; to be one for the table they have to be hashed in some way again.
    return lambda frame: hashlib.sha256(pd.util.hash_pandas_object(frame).to_numpy().tobytes()).hexdigest()


def open_mlflow() -> Callable[[Any], str]:
    import mlflow.data

    return lambda frame: mlflow.data.from_pandas(frame).digest


def open_datasets() -> Callable[[Any], str]:
    from datasets import Dataset

    return lambda frame: Dataset.from_pandas(frame)._fingerprint  # noqa: SLF001 - the name its documentation gives


def open_model_signing() -> Callable[[Any], str]:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from model_signing import signing

    key, signature = Path("key.pem"), Path("model.sig")
    private = ec.generate_private_key(ec.SECP256R1())
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    config = signing.Config().use_elliptic_key_signer(private_key=key)

    def identify(path: str) -> str:
        config.sign(path, signature)
        payload = json.loads(signature.read_text())["dsseEnvelope"]["payload"]
        [subject] = json.loads(base64.b64decode(payload))["subject"]
        return subject["digest"]["sha256"]

    return identify


def open_dvc() -> Callable[[Any], str]:
    from dvc.cli import main

    def identify(path: str) -> str:
        """`dvc add` of a file of a new repository, in which `place_in_repository` has put it."""
        with contextlib.chdir(Path(path).parent):
            if status := main(["add", "--quiet", Path(path).name]):
                raise RuntimeError(f"dvc add {path} ended with status {status}")
        [md5] = re.findall(r"^\s*-? *md5: *([0-9a-f]{32})$", Path(path + ".dvc").read_text(), re.MULTILINE)
        return md5

    return identify


def place_in_repository(path: str) -> str:
    """A new repository each time: dvc remembers digests and keeps what it has seen."""
    from dvc.cli import main

    folder = Path(tempfile.mkdtemp(dir=Path.cwd()))
    with contextlib.chdir(folder):
        if status := main(["init", "--quiet", "--no-scm"]):
            raise RuntimeError(f"dvc init ended with status {status}")
    return shutil.copy(path, folder)


PEERS = {
    "wf-records-1": Peer("wherefrom", "wherefrom", open_records, read_table_file),
    "wf-records-1 of a frame": Peer("wherefrom", "wherefrom", open_records, read_frame),
    "wf-files-1": Peer("wherefrom", "wherefrom", open_files, str),
    "dvc": Peer("dvc", "dvc", open_dvc, str, place_in_repository),
    "model-signing": Peer("model_signing", "model-signing", open_model_signing, str),
    "mlflow": Peer("mlflow", "mlflow-skinny", open_mlflow, read_frame),
    "pandas": Peer("pandas", "pandas", open_pandas, read_frame),
    "datasets": Peer("datasets", "datasets", open_datasets, read_frame),
}


def identify(peer: Peer, run: Callable[[Any], str], path: str) -> dict[str, str]:
    try:
        return {"identity": run(peer.read(peer.place(path)))}
    except Exception as error:  # noqa: BLE001 - what a peer can't do is an answer, shown with its reason
        return {"refused": f"{type(error).__name__}: {error}".splitlines()[0]}


def measure(peer: Peer, run: Callable[[Any], str], path: str) -> dict[str, Any]:
    """The identity; wall seconds of reading and of identifying, and CPU seconds of both."""
    path = peer.place(path)
    start, cpu = time.perf_counter(), time.process_time()
    data = peer.read(path)
    middle = time.perf_counter()
    identity = run(data)
    return {
        "identity": identity,
        "read_s": middle - start,
        "identify_s": time.perf_counter() - middle,
        "cpu_s": time.process_time() - cpu,
    }


def answer(peer: Peer, question: dict[str, Any]) -> dict[str, Any]:
    if importlib.util.find_spec(peer.module) is None:
        return {"missing": peer.package}
    start = time.perf_counter()
    run = peer.open()
    run(peer.read(peer.place(question["warm"])))
    start_s = time.perf_counter() - start
    return {
        "version": f"{peer.package} {version(peer.package)}",
        "start_s": start_s,
        **measure(peer, run, question["cost"]),
        "answers": {path: identify(peer, run, path) for path in question["files"]},
    }


def main() -> None:
    question = json.load(sys.stdin)
    # Whatever a peer prints is talk; the answer has a stream of its own.
    with os.fdopen(os.dup(1), "w") as stream:
        os.dup2(2, 1)
        json.dump(answer(PEERS[sys.argv[1]], question), stream)


if __name__ == "__main__":
    main()
