"""The text of a token: random in full, and told from what was mistyped, cut off or made up."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherefrom.errors import FormatError
from wherefrom.statements import format_token, parse_token

bytes_of = st.binary


@given(bytes_of(min_size=8, max_size=8), bytes_of(min_size=32, max_size=32), st.data())
def test_a_token_gives_its_id_and_no_changed_or_shorter_one_does(token_id, secret, data):
    text = format_token(token_id, secret)
    assert re.fullmatch(r"wft_[0-9a-f]{16}_[0-9A-Za-z]{49}", text)
    assert parse_token(text) == token_id.hex()
    position = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("0123456789abcdefXYZ_").filter(lambda c: c != text[position]))
    for wrong in (text[:position] + other + text[position + 1 :], text[:position], text + other, other + text):
        with pytest.raises(FormatError) as refused:
            parse_token(wrong)
        assert text[21:] not in str(refused.value)


@given(st.lists(bytes_of(min_size=32, max_size=32), min_size=2, max_size=2, unique=True))
def test_other_secrets_make_other_tokens(secrets):
    assert len({format_token(bytes(8), secret) for secret in secrets}) == 2


def test_a_known_token_has_this_form():
    text = format_token(bytes(range(8)), bytes(range(32)))
    assert text == "wft_0001020304050607_003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf32ji6X"
    assert format_token(bytes(8), b"\xff" * 32)[:21] == "wft_0000000000000000_"


def test_who_makes_a_token_gives_all_its_bits():
    for token_id, secret in ((bytes(7), bytes(32)), (bytes(8), bytes(31)), (b"", b"")):
        with pytest.raises(FormatError):
            format_token(token_id, secret)
