"""Block headers: read from files and servers, and their work."""

from datetime import UTC, datetime

import pytest
from fake_bitcoin import REGTEST_WORK, Chain, double_sha256, mine
from hypothesis import given
from hypothesis import strategies as st
from time_authority import serving

from wherefrom.anchors.bitcoin import (
    MAINNET_GENESIS,
    MAINNET_LEAST_WORK,
    parse_header,
    parse_header_file,
)
from wherefrom.anchors.explorers import BitcoinCore, Esplora, open_headers
from wherefrom.errors import FormatError, NotFoundError, UnavailableError

GENESIS = bytes.fromhex(
    "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3"
    "888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c"
)


def read_chain(data, chain, **options):
    return parse_header_file(data, **{"genesis": chain.genesis, "least_total_work": REGTEST_WORK, **options})


def test_the_first_block_of_all_is_what_it_is():
    header = parse_header(GENESIS)
    assert header.block_hash[::-1].hex() == MAINNET_GENESIS
    assert header.merkle_root[::-1].hex() == "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b"
    assert header.time == datetime(2009, 1, 3, 18, 15, 5, tzinfo=UTC)
    assert header.work == 0x100010001
    header.verify_work(header.work)
    with pytest.raises(UnavailableError, match="took 4295032833 hashes"):
        header.verify_work(MAINNET_LEAST_WORK)


@pytest.mark.parametrize("bits", [0x1D80FFFF, 0x21000001, 0x00000000, 0xFF7FFFFF, 0x01003456])
def test_a_target_that_is_negative_too_large_or_zero_takes_no_work(bits):
    assert parse_header(GENESIS[:72] + bits.to_bytes(4, "little") + GENESIS[76:]).work == 0


def test_a_block_without_the_work_it_claims_has_none():
    changed = parse_header(GENESIS[:-1] + b"\x00")
    assert changed.work == 0
    with pytest.raises(UnavailableError):
        changed.verify_work(0)


@given(st.binary(max_size=200))
def test_any_bytes_make_a_file_of_headers_or_a_malformed_one(data):
    with pytest.raises(FormatError):
        parse_header_file(data)


def test_a_file_of_the_whole_chain_is_read_by_height():
    chain = Chain(5)
    headers = read_chain(chain.file, chain)
    assert [headers.read(n).block_hash[::-1].hex() for n in range(5)] == chain.hashes()
    with pytest.raises(UnavailableError, match="none of height 5"):
        headers.read(5)
    with pytest.raises(UnavailableError, match="none of height -1"):
        headers.read(-1)


def test_no_byte_of_a_chain_can_be_changed():
    chain = Chain(3)
    for position in range(len(chain.file) - 80):  # changing the last is mining another
        changed = chain.file[:position] + bytes([chain.file[position] ^ 1]) + chain.file[position + 1 :]
        with pytest.raises(FormatError):
            read_chain(changed, chain)


def test_a_chain_that_is_short_of_work_or_begins_elsewhere_or_breaks_is_refused():
    chain, other = Chain(3), Chain(2)
    with pytest.raises(FormatError, match="took 6 hashes"):
        read_chain(chain.file, chain, least_total_work=100)
    with pytest.raises(FormatError, match=f"expected {MAINNET_GENESIS}"):
        read_chain(chain.file, chain, genesis=MAINNET_GENESIS)
    with pytest.raises(FormatError, match="expected at least"):
        parse_header_file(GENESIS)
    with pytest.raises(FormatError, match="block 3 does not follow"):
        read_chain(chain.file + other.headers[1], chain)
    good = mine(double_sha256(chain.headers[2]), bytes(32))
    tries = (good[:76] + nonce.to_bytes(4, "little") for nonce in range(100))
    lazy = next(header for header in tries if parse_header(header).work == 0)
    with pytest.raises(FormatError, match="block 3 lacks the work"):
        read_chain(chain.file + lazy, chain)
    with pytest.raises(FormatError, match="multiple of 80"):
        read_chain(chain.file[:-1], chain)


def test_a_list_of_some_headers_is_read():
    chain = Chain(6)
    lines = [f"{n} {chain.headers[n].hex()}\n" for n in (1, 3, 4)]
    headers = parse_header_file("".join(lines).encode())
    assert headers.read(4).block_hash[::-1].hex() == chain.hashes()[4]
    with pytest.raises(UnavailableError, match="none of height 2"):
        headers.read(2)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("1 00", "expected a height"),
        ("x {0}", "multiple of 80"),
        ("1 {0}\n1 {0}", "not above the one before"),
        ("1 {0}\n2 {0}", "does not follow"),
        ("1 " + "zz" * 80, "other than 160 hex digits"),
        ("1 " + " " * 160, "spaces"),
        ("99999999999 {0}", "expected a height"),
        ("4294967296 {0}", "not above"),
    ],
)
def test_a_list_with_a_bad_line_is_refused(lines, problem):
    with pytest.raises(FormatError, match=problem):
        parse_header_file(lines.format(Chain(1).headers[0].hex()).encode())


def test_servers_that_speak_esplora_are_asked():
    chain = Chain(4)
    with serving(chain.esplora) as url:
        headers = open_headers(f"{url}/")
        assert isinstance(headers, Esplora)
        assert headers.read(2).block_hash[::-1].hex() == chain.hashes()[2]
        with pytest.raises(UnavailableError, match="status 404"):
            headers.read(9)


def test_bitcoin_core_is_asked_with_a_password_or_a_cookie(tmp_path):
    chain = Chain(4)
    (tmp_path / "cookie").write_text("user:secret")
    with serving(chain.core()) as url:
        host = url.removeprefix("http://")
        for where in (f"bitcoin+http://user:secret@{host}", f"bitcoin+{url}?cookie={tmp_path}/cookie"):
            headers = open_headers(where)
            assert isinstance(headers, BitcoinCore)
            assert "secret" not in repr(headers)
            assert headers.read(2).block_hash[::-1].hex() == chain.hashes()[2]
            with pytest.raises(UnavailableError, match="Block height out of range"):
                headers.read(9)
        with pytest.raises(UnavailableError, match="does not know the user") as raised:
            open_headers(f"bitcoin+http://user:wr0ng@{host}").read(1)
        assert "wr0ng" not in str(raised.value)
    with pytest.raises(UnavailableError, match="cookie"):
        open_headers(f"bitcoin+{url}?cookie={tmp_path}/none")


def test_a_server_that_shows_another_block_than_it_named_is_not_believed():
    chain = Chain(4)
    other = chain.headers[3].hex().encode()

    def esplora(method, path, body, headers):
        if path.endswith("/header"):
            return 200, "text/plain", other
        return chain.esplora(method, path, body, headers)

    with serving(esplora) as url, pytest.raises(UnavailableError, match="header of another block"):
        open_headers(url).read(1)
    with serving(lambda *_: (200, "text/plain", b"<html>")) as url, pytest.raises(UnavailableError, match="64 hex"):
        open_headers(url).read(1)
    with serving(lambda *_: (200, "text/plain", b"<html>")) as url, pytest.raises(UnavailableError, match="no JSON"):
        open_headers(f"bitcoin+{url}").read(1)


def test_a_file_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(NotFoundError):
        open_headers(str(tmp_path / "headers"))
    path = tmp_path / "list"
    path.write_text(f"7 {Chain(1).headers[0].hex()}\n")
    assert open_headers(str(path)).read(7)
