"""`docs/spec/fingerprint-records-v1.md`, sections 2 to 5 and 7, in its order and words. Slow and complete.

Not its own are two things that others specify: the parsing of URLs (ada-url), and which code points have no character
in Unicode 14.0 (a table).

A table is a dict {column name: list of values}. A value is in the notation of the vectors (section 9): None, True,
False, or a dict of one member that says what it is, such as {"int": "7"} or {"text": "seven"}.
"""

import hashlib
import hmac
import json
import math
import struct
import unicodedata
from decimal import Decimal

from wherefrom.commitments.unassigned import UNASSIGNED_RANGES

LEAF, NODE = b"\x00", b"\x01"
ROW, KEY = b"\x00", b"\x01"
CANONICAL_NAN = bytes.fromhex("7ff8000000000000")


def sha256(data):
    return hashlib.sha256(data).digest()


# Section 3: values and cells.


def cell(value):
    if value is None:
        return b"\x00"
    if value is True or value is False:
        return b"\x01" + bytes([value])
    ((kind, payload),) = value.items()
    return CELLS[kind](payload)


def integer_cell(number):
    if -(2**63) <= number < 2**63:
        return b"\x02" + number.to_bytes(8, "big", signed=True)
    if 0 <= number < 2**64:
        return b"\x03" + number.to_bytes(8, "big")
    raise ValueError(f"integer {number} does not fit 64 bits")


def float_cell(bits):
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    if math.isnan(number):
        return b"\x04" + CANONICAL_NAN
    if number == number // 1 and -(2**63) <= number < 2**64:
        return integer_cell(int(number))
    return b"\x04" + struct.pack(">d", number)


def decimal_cell(text):
    sign, digits, exponent = Decimal(text).as_tuple()
    coefficient = int("".join(map(str, digits)))
    if coefficient == 0:
        exponent = 0
    while coefficient and coefficient % 10 == 0:
        coefficient, exponent = coefficient // 10, exponent + 1
    if coefficient >= 10**76:
        raise ValueError(f"decimal {text} has more than 76 digits")
    coefficient = -coefficient if sign else coefficient
    return b"\x05" + exponent.to_bytes(4, "big", signed=True) + coefficient.to_bytes(32, "big", signed=True)


def seconds_cell(tag, payload):
    seconds, nanoseconds = map(int, payload)
    assert 0 <= nanoseconds < 10**9
    return tag + seconds.to_bytes(8, "big", signed=True) + nanoseconds.to_bytes(4, "big")


def interval_cell(payload):
    months, days, nanoseconds = map(int, payload)
    return (
        b"\x0d"
        + months.to_bytes(4, "big", signed=True)
        + days.to_bytes(4, "big", signed=True)
        + nanoseconds.to_bytes(8, "big", signed=True)
    )


def map_cell(entries):
    return b"\x10" + sha256(b"".join(sorted(cell(key) + cell(item) for key, item in entries)))


CELLS = {
    "int": lambda text: integer_cell(int(text)),
    "float": float_cell,
    "decimal": decimal_cell,
    "text": lambda text: b"\x06" + sha256(text.encode("utf-8")),
    "binary": lambda digits: b"\x07" + sha256(bytes.fromhex(digits)),
    "date": lambda days: b"\x08" + int(days).to_bytes(8, "big", signed=True),
    "time": lambda nanoseconds: b"\x09" + int(nanoseconds).to_bytes(8, "big", signed=True),
    "datetime": lambda payload: seconds_cell(b"\x0a", payload),
    "instant": lambda payload: seconds_cell(b"\x0b", payload),
    "duration": lambda payload: seconds_cell(b"\x0c", payload),
    "interval": interval_cell,
    "list": lambda elements: b"\x0e" + sha256(b"".join(map(cell, elements))),
    "struct": lambda fields: b"\x0f" + sha256(row(fields)),
    "map": map_cell,
}


def row(fields):
    """Cells in the order of their columns' names."""
    return b"".join(cell(fields[name]) for name in sorted(fields, key=lambda name: name.encode("utf-8")))


# Section 3.4: logical types.


def type_of(values):
    """The one type of all values; ValueError when they have several."""
    present = [value for value in values if value is not None]
    if not present:
        return "null"
    kinds = {kind_of(value) for value in present}
    if len(kinds) > 1:
        raise ValueError(f"values of types {sorted(kinds)} in one column")
    kind = kinds.pop()
    payloads = [value[kind] for value in present] if kind in {"list", "struct", "map"} else []
    if kind == "list":
        return {"list": type_of([element for elements in payloads for element in elements])}
    if kind == "map":
        entries = [entry for entries in payloads for entry in entries]
        return {"map": [type_of([key for key, _ in entries]), type_of([item for _, item in entries])]}
    if kind == "struct":
        if len({frozenset(fields) for fields in payloads}) > 1:
            raise ValueError("structs with different fields in one column")
        return {"struct": columns_of({name: [fields[name] for fields in payloads] for name in payloads[0]})}
    return kind


def kind_of(value):
    if value is True or value is False:
        return "boolean"
    (kind,) = value
    return {"int": "number", "float": "number"}.get(kind, kind)


def columns_of(table):
    return [
        {"name": name, "type": type_of(table[name])} for name in sorted(table, key=lambda name: name.encode("utf-8"))
    ]


# Section 4: rows, leaves, tree.


def rows_of(table, count=None):
    """The bytes of each row; `count` for a table without columns."""
    if count is None:
        count = len(next(iter(table.values())))
    return [row({name: values[index] for name, values in table.items()}) for index in range(count)]


def leaf_hash(row_bytes, secret=None, domain=ROW):
    if secret is None:
        return sha256(LEAF + row_bytes)
    return sha256(LEAF + salt_of(row_bytes, secret, domain) + row_bytes)


def leaf_hashes(rows, order="sorted", secret=None):
    hashes = [leaf_hash(row_bytes, secret) for row_bytes in rows]
    return sorted(hashes) if order == "sorted" else hashes


# Section 4.2: salts.


def salt_of(row_bytes, secret, domain):
    return hmac.digest(secret, domain + row_bytes, "sha256")


def commitment_of(secret):
    return sha256(b"wf-secret-1" + secret)


def salt_member(secret):
    return "none" if secret is None else "hmac-sha256:" + commitment_of(secret).hex()


def root(hashes):
    """RFC 9162 section 2.1.1, over leaf hashes."""
    if not hashes:
        return sha256(b"")
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return sha256(NODE + root(hashes[:split]) + root(hashes[split:]))


# Section 5: identity.


def identity(table, count=None, order="sorted", secret=None):
    rows = rows_of(table, count)
    return {
        "columns": columns_of(table),
        "order": order,
        "root": root(leaf_hashes(rows, order, secret)).hex(),
        "rows": len(rows),
        "salt": salt_member(secret),
        "type": "wf-records-1",
    }


def canonical_json(value):
    """RFC 8785 for what identity objects hold: no floats, and member names in ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def identifier(identity_object):
    return sha256(canonical_json(identity_object)).hex()


# Section 7: keys.


def key_identity(table, key_columns, form="exact", order="sorted", secret=None):
    columns = key_table(table, key_columns, form)
    keyed = [row_bytes for row_bytes in rows_of(columns) if set(row_bytes) != {0}]
    hashes = sorted({leaf_hash(row_bytes, secret, KEY) for row_bytes in keyed})
    return {
        "columns": columns_of(columns),
        "form": form,
        "keyless": len(rows_of(columns)) - len(keyed),
        "keys": len(hashes),
        "order": "sorted",
        "records": identifier(identity(table, None, order, secret)),
        "root": root(hashes).hex(),
        "salt": salt_member(secret),
        "type": "wf-keys-1",
    }


def key_table(table, key_columns, form):
    """The key columns, in their form."""
    if form != "exact" and len(key_columns) != 1:
        raise ValueError(f"form {form} takes one column")
    return {name: [None if value is None else FORMS[form](value) for value in table[name]] for name in key_columns}


def of_text(function):
    def form(value):
        if kind_of(value) != "text":
            raise ValueError("the form takes text")
        return {"text": function(value["text"])}

    return form


def document_form(value):
    if kind_of(value) not in {"text", "binary"}:
        raise ValueError("the form takes text or binary")
    return value if "binary" in value else {"binary": value["text"].encode("utf-8").hex()}


def text_form(text):
    pieces = [""]
    for character in text:
        if is_unassigned(ord(character)):
            pieces += [character, ""]
        else:
            pieces[-1] += character
    folded = "".join(fold(piece) for piece in pieces)
    words = "".join(" " if character in WHITE_SPACE else character for character in folded).split(" ")
    return " ".join(word for word in words if word)


def fold(piece):
    """Of characters that Unicode 14.0 knows, or of one that it doesn't know, which stays."""
    if len(piece) == 1 and is_unassigned(ord(piece)):
        return piece
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", piece).casefold())


def is_unassigned(code_point):
    bounds = [span.split("-") for span in UNASSIGNED_RANGES.split()]
    return any(int(span[0], 16) <= code_point <= int(span[-1], 16) for span in bounds)


WHITE_SPACE = [
    *map(chr, [0x9, 0xA, 0xB, 0xC, 0xD, 0x20, 0x85, 0xA0, 0x1680]),
    *map(chr, range(0x2000, 0x200B)),
    *map(chr, [0x2028, 0x2029, 0x202F, 0x205F, 0x3000]),
]


def url_form(text):
    import ada_url

    url = ada_url.URL(text)
    url.hash = ""
    return url.href


FORMS = {
    "exact": lambda value: value,
    "text": of_text(text_form),
    "url": of_text(url_form),
    "document": document_form,
}
