"""What the vectors can't show: which Unicode it is, and what is missing."""

import sys
import unicodedata

import pytest

from wherefrom.commitments.forms import require_form, text_form, url_form
from wherefrom.commitments.unassigned import UNASSIGNED_RANGES
from wherefrom.errors import FormatError, UnavailableError


def unassigned():
    for span in UNASSIGNED_RANGES.split():
        first, _, last = span.partition("-")
        yield from range(int(first, 16), int(last or first, 16) + 1)


def test_the_table_is_that_of_unicode_14():
    """Wholly where Python has 14.0; a later version has only given characters to some of these code points."""
    now = {code_point for code_point in range(0x110000) if unicodedata.category(chr(code_point)) == "Cn"}
    assert now <= set(unassigned())
    assert unicodedata.unidata_version != "14.0.0" or now == set(unassigned())


def test_code_points_that_unicode_14_does_not_know_stand_for_themselves():
    for code_point in list(unassigned())[::97]:
        assert text_form(f"É{chr(code_point)}\u0301E") == f"é{chr(code_point)}\u0301e"


def test_the_second_normalisation_is_needed():
    once = unicodedata.normalize("NFKC", "ΐ\u0323").casefold()
    assert text_form("ΐ\u0323") == unicodedata.normalize("NFKC", once) != once


def test_a_form_without_its_library_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ada_url", None)
    with pytest.raises(UnavailableError, match=r"key form 'url' needs an extra: pip install 'wherefrom\[url\]'"):
        require_form("url")
    with pytest.raises(UnavailableError, match="needs an extra"):
        url_form("https://example.org/")
    for form in ("exact", "text", "document"):
        require_form(form)


def test_text_that_is_no_url_is_named():
    with pytest.raises(FormatError, match="'example' is not an absolute URL"):
        url_form("example")
    with pytest.raises(FormatError, match="is not an absolute URL"):
        url_form("https://example.org/\ud800")
