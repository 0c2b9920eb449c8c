"""The witness over real HTTP: what its answers look like from outside."""

import socket
from hashlib import sha256
from urllib.parse import urlsplit

import pytest
from grown_log import GrownLog
from http_servers import serving

from wherefrom import fetch
from wherefrom.notes import ED25519_COSIGNATURE, SigningKey, open_note
from wherefrom.server.witness import make_app
from wherefrom.tlog.add_checkpoint import MAX_REQUEST_BYTES
from wherefrom.tlog.witness import Witness
from wherefrom.tlog.witness_state import WitnessState

KEY = SigningKey("witness.example", bytes(range(32)), ED25519_COSIGNATURE)
LOG = GrownLog()
HASH = sha256(LOG.origin.encode()).hexdigest()


@pytest.fixture
def url(tmp_path):
    state = WitnessState.create(tmp_path / "state")
    with serving(make_app(Witness([KEY], LOG.verifier_keys, state))) as address:
        yield address
    state.close()


def add(url, body):
    return fetch.post(f"{url}/add-checkpoint", body, content_type="text/plain")


def test_a_checkpoint_is_cosigned_and_served_to_monitors(url):
    assert fetch.get(f"{url}/{HASH}/checkpoint").status == 404
    reply = add(url, LOG.request(0, 7))
    assert reply.status == 200
    assert open_note(LOG.note(7) + reply.body, [KEY.verifier_key]).cosignatures
    served = fetch.get(f"{url}/{HASH}/checkpoint")
    assert (served.status, served.body) == (200, LOG.note(7) + reply.body)
    assert served.headers["content-type"] == "text/plain; charset=utf-8"


def test_a_conflict_names_the_size_with_the_type_of_the_document(url):
    add(url, LOG.request(0, 7))
    reply = add(url, LOG.request(3, 9))
    assert (reply.status, reply.body, reply.headers["content-type"]) == (409, b"7\n", "text/x.tlog.size")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (GrownLog("example.com/other").request(0, 7), 404),
        (GrownLog(keys=[SigningKey(LOG.origin, bytes(32))]).request(0, 7), 403),
        (LOG.request(0, 7, proof=[bytes(32)]), 422),
        (b"x" * (MAX_REQUEST_BYTES + 1), 413),
    ],
    ids=["malformed", "unknown log", "unknown key", "inconsistent", "too long"],
)
def test_refusals_have_their_status_and_say_why(url, body, status):
    reply = add(url, body)
    assert reply.status == status
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.body.endswith(b"\n")
    assert len(reply.body) > 5
    assert add(url, LOG.request(0, 7)).status == 200


@pytest.mark.parametrize("path", ["", "checkpoint", "x/checkpoint", f"{HASH.upper()}/checkpoint", f"{HASH}/y"])
def test_there_is_nothing_else_to_get(url, path):
    add(url, LOG.request(0, 7))
    assert fetch.get(f"{url}/{path}").status == 404


def test_only_post_adds(url):
    assert fetch.get(f"{url}/add-checkpoint").status == 405
    assert fetch.post(f"{url}/{HASH}/checkpoint", b"", content_type="text/plain").status == 405


def test_half_a_request_is_none_and_the_next_is_served(url):
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nold 0\n")
    assert fetch.get(f"{url}/{HASH}/checkpoint").status == 404
    assert add(url, LOG.request(0, 7)).status == 200
