"""Bounds on bodies: packed, unpacked, and in time."""

import asyncio
import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherefrom.server.errors import RequestError
from wherefrom.server.limits import BoundedBody, Unpacker
from wherefrom.server.settings import MIB, Settings

SMALL = Settings(max_unpacked_bytes=3 * MIB, max_ratio=50, max_body_bytes=1000, body_deadline_s=0.05)


def feed(data, encoding="gzip", settings=SMALL, step=7):
    unpacker = Unpacker(encoding, settings)
    parts = [data[i : i + step] for i in range(0, len(data), step)] or [b""]
    return b"".join(unpacker.feed(part, is_last=i == len(parts) - 1) for i, part in enumerate(parts))


@given(st.binary(max_size=3000), st.integers(1, 100), st.booleans())
def test_what_was_packed_comes_out_however_it_is_cut(data, step, several):
    packed = gzip.compress(data) + (gzip.compress(data) if several else b"")
    assert feed(packed, step=step) == data * (2 if several else 1)
    assert feed(zlib.compress(data), "deflate", step=step) == data


def test_a_bomb_is_refused_before_it_goes_off():
    bomb = gzip.compress(bytes(100 * MIB))
    for settings in (SMALL, Settings(max_ratio=10**6), Settings(max_unpacked_bytes=10**10)):
        with pytest.raises(RequestError, match="unpacked") as caught:
            feed(bomb, settings=settings, step=len(bomb))
        assert caught.value.status == 413
    assert len(feed(gzip.compress(bytes(MIB)), step=100)) == MIB


@pytest.mark.parametrize(
    "data", [b"not gzip at all", gzip.compress(b"x" * 100, mtime=0)[:-3], gzip.compress(b"x", mtime=0)[:5] + b"...."]
)
def test_what_is_not_whole_gzip_is_refused(data):
    with pytest.raises(RequestError) as caught:
        feed(data)
    assert caught.value.status == 400


def test_an_unknown_encoding_is_refused_with_those_that_are_known():
    with pytest.raises(RequestError, match=r"br.*known: gzip") as caught:
        Unpacker("br", SMALL)
    assert caught.value.status == 415


def read(messages, headers=None, settings=SMALL):
    async def receive():
        if not messages:
            await asyncio.sleep(60)
        return {"type": "http.request", **messages.pop(0)}

    async def main():
        body = BoundedBody(receive, headers or {}, settings, asyncio.get_running_loop().time())
        parts = []
        while True:
            message = await body()
            parts.append(message["body"])
            if not message.get("more_body"):
                return b"".join(parts)

    return asyncio.run(main())


def test_a_body_is_read_to_its_end():
    assert read([{"body": b"ab", "more_body": True}, {"body": b"c"}]) == b"abc"


@pytest.mark.parametrize(
    ("messages", "headers", "status"),
    [
        ([{"body": b"x" * 600, "more_body": True}, {"body": b"x" * 600}], {}, 413),
        ([], {b"content-length": b"1001"}, 413),
        ([], {b"content-length": b"9" * 40}, 413),
        ([{"body": b"x", "more_body": True}], {}, 408),
        ([{"body": b"x"}], {b"content-encoding": b"br"}, 415),
    ],
    ids=["too long", "says so", "says more", "never ends", "unknown encoding"],
)
def test_a_body_that_breaks_a_limit_is_refused(messages, headers, status):
    with pytest.raises(RequestError) as caught:
        read(messages, headers)
    assert caught.value.status == status
