"""The request of add-checkpoint has one spelling."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherefrom.errors import FormatError
from wherefrom.notes import MAX_SIZE
from wherefrom.tlog.add_checkpoint import (
    MAX_REQUEST_BYTES,
    AddCheckpoint,
    format_add_checkpoint,
    format_size,
    parse_add_checkpoint,
    parse_size,
)

HASH = b64encode(bytes(range(32))).decode()
# As in C2SP tlog-witness.
EXAMPLE = """\
old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
""".encode()  # noqa: E501


def test_the_example_of_the_specification_is_read_and_written():
    request = parse_add_checkpoint(EXAMPLE)
    assert request.old_size == 20852014
    assert [len(item) for item in request.proof] == [32] * 4
    assert request.note.startswith(b"example.com/behind-the-sofa\n20852163\n")
    assert format_add_checkpoint(request) == EXAMPLE


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no empty line"),
        (b"old 0\n", "no empty line"),
        (b"\n\nnote", "line 1: '' does not begin with 'old '"),
        (b"Old 0\n\nnote", "does not begin with 'old '"),
        (b"old  0\n\nnote", "old size ' 0' is not a decimal number"),
        (b"old\t0\n\nnote", "does not begin with 'old '"),
        (b"old 00\n\nnote", "old size '00' has a leading zero"),
        (b"old 012\n\nnote", "old size '012' has a leading zero"),
        (b"old -1\n\nnote", "is not a decimal number"),
        (b"old +1\n\nnote", "is not a decimal number"),
        (b"old 1_0\n\nnote", "is not a decimal number"),
        (b"old 0\r\n\r\nnote", "no empty line"),
        (b"old 0\r\n\nnote", "is not a decimal number"),
        ("old ١\n\nnote".encode(), "other than ASCII"),
        (b"old 9223372036854775808\n\nnote", "is more than 9223372036854775807"),
        (b"old " + b"9" * 5000 + b"\n\nnote", "is more than"),
        (b"old 1\nAAAA\n\nnote", "line 2 has 3 bytes, expected a hash of 32"),
        (f"old 1\n{HASH[:-1]}\n\nnote".encode(), "line 2 .* is not standard base64"),
        (f"old 1\n{HASH} \n\nnote".encode(), "line 2 .* is not standard base64"),
        (f"old 1\n{HASH}\n {HASH}\n\nnote".encode(), "line 3 .* is not standard base64"),
        (b"old 1\n" + f"{HASH}\n".encode() * 64 + b"\nnote", "over 63 lines of proof"),
        (b"old 1\n" + b"x\n" * 300_000 + b"\nnote", "over 63 lines of proof"),
        (b"x" * (MAX_REQUEST_BYTES + 1), f"has {MAX_REQUEST_BYTES + 1} bytes, expected at most"),
    ],
    ids=lambda value: None if isinstance(value, str) else repr(value[:24]),
)
def test_other_requests_are_malformed(data, says):
    with pytest.raises(FormatError, match=says):
        parse_add_checkpoint(data)


def test_sixty_three_hashes_are_read():
    assert len(parse_add_checkpoint(b"old 1\n" + f"{HASH}\n".encode() * 63 + b"\nnote").proof) == 63


hashes = st.lists(st.binary(min_size=32, max_size=32), max_size=63).map(tuple)


@given(st.builds(AddCheckpoint, st.integers(0, MAX_SIZE), hashes, st.binary(max_size=100)))
def test_what_is_written_is_read(request):
    assert parse_add_checkpoint(format_add_checkpoint(request)) == request


@given(
    st.binary(max_size=300)
    | st.builds(lambda at, part: EXAMPLE[:at] + part + EXAMPLE[at + 2 :], st.integers(0, 220), st.binary(max_size=4))
)
def test_bytes_are_a_request_of_one_spelling_or_malformed(data):
    try:
        request = parse_add_checkpoint(data)
    except FormatError:
        return
    assert format_add_checkpoint(request) == data


@given(st.binary(max_size=30) | st.integers(0, 2**65).map(lambda n: b"%d\n" % n))
def test_bytes_are_a_size_of_one_spelling_or_malformed(data):
    try:
        size = parse_size(data)
    except FormatError:
        return
    assert 0 <= size <= MAX_SIZE
    assert format_size(size) == data


@pytest.mark.parametrize("data", [b"", b"7", b"07\n", b" 7\n", b"7\r\n", b"7\n\n", b"\xb2\n", b"9223372036854775808\n"])
def test_other_sizes_are_malformed(data):
    assert parse_size(b"7\n") == 7
    with pytest.raises(FormatError):
        parse_size(data)
