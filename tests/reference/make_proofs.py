"""Write tests/vectors/fingerprints/proofs.json from the reference: `python -m tests.reference.make_proofs`."""

import json
import struct
from pathlib import Path

from tests.reference import wf_files, wf_proofs, wf_records
from tests.reference.wf_proofs import leaf, salt_of
from tests.reference.wf_records import identifier, sha256

PATH = Path(__file__).parent.parent / "vectors" / "fingerprints" / "proofs.json"
SECRET = bytes(range(32))
SCHEME = "hmac-sha256:" + sha256(b"wf-secret-1" + SECRET).hex()
HASH = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


def binary64(value):
    return {"float": struct.pack(">d", value).hex()}


# Section 2: each type, values as JSON and in the notation of records.json; then what is refused.
VALUES = [
    ("boolean", True, True),
    ("boolean", False, False),
    ("number", 7, {"int": "7"}),
    ("number", 7.0, {"int": "7"}),
    ("number", -0.0, {"int": "0"}),
    ("number", "7", {"int": "7"}),
    ("number", -(2**63), {"int": str(-(2**63))}),
    ("number", str(2**64 - 1), {"int": str(2**64 - 1)}),
    ("number", 0.1, binary64(0.1)),
    ("number", 1e300, binary64(1e300)),
    ("number", "NaN", binary64(float("nan"))),
    ("number", "Infinity", binary64(float("inf"))),
    ("number", "-Infinity", binary64(float("-inf"))),
    ("decimal", "1.50", {"decimal": "1.50"}),
    ("decimal", "-1.5e3", {"decimal": "-1500"}),
    ("decimal", "0.000", {"decimal": "0"}),
    ("text", "Zoë 🦉", {"text": "Zoë 🦉"}),
    ("text", "", {"text": ""}),
    ("text", {"sha256": sha256(b"long").hex()}, {"text": "long"}),
    ("binary", {"base64": "AAEC"}, {"binary": "000102"}),
    ("binary", {"sha256": sha256(b"\0\1\2").hex()}, {"binary": "000102"}),
    ("date", "2013-01-31", {"date": "15736"}),
    ("date", -1, {"date": "-1"}),
    ("time", "05:15:00.25", {"time": "18900250000000"}),
    ("time", 1, {"time": "1"}),
    ("datetime", "2013-01-31T05:15:00", {"datetime": ["1359609300", "0"]}),
    ("datetime", "1969-12-31T23:59:59.999999999", {"datetime": ["-1", "999999999"]}),
    ("datetime", [-1, 999999999], {"datetime": ["-1", "999999999"]}),
    ("instant", "2013-01-31T05:15:00Z", {"instant": ["1359609300", "0"]}),
    ("instant", "2013-01-31T06:15:00.5+01:00", {"instant": ["1359609300", "500000000"]}),
    ("duration", "-0.5", {"duration": ["-1", "500000000"]}),
    ("duration", [90, 1], {"duration": ["90", "1"]}),
    ("interval", [1, -2, 3], {"interval": ["1", "-2", "3"]}),
    ({"list": "number"}, [1, None, 2.5], {"list": [{"int": "1"}, None, binary64(2.5)]}),
    ({"list": "text"}, [], {"list": []}),
    (
        {"struct": [{"name": "a", "type": "number"}, {"name": "b", "type": "text"}]},
        {"b": "x", "a": None},
        {"struct": {"a": None, "b": {"text": "x"}}},
    ),
    (
        {"map": ["text", "number"]},
        [["b", 1], ["a", 2]],
        {"map": [[{"text": "a"}, {"int": "2"}], [{"text": "b"}, {"int": "1"}]]},
    ),
    ("null", None, None),
    ("text", None, None),
]
REFUSED = [
    ("boolean", 1),
    ("boolean", "true"),
    ("number", True),
    ("number", "1.5"),
    ("number", "seven"),
    ("number", 2**64),
    ("number", -(2**63) - 1),
    ("decimal", 1.5),
    ("decimal", "NaN"),
    ("decimal", "1." + "1" * 76),
    ("text", 7),
    ("text", {"sha256": "00"}),
    ("binary", "AAEC"),
    ("binary", {"base64": "AAE"}),
    ("date", "2013-02-30"),
    ("date", "31.01.2013"),
    ("date", 1.5),
    ("time", "25:00:00"),
    ("time", "05:15"),
    ("datetime", "2013-01-31T05:15:00Z"),
    ("datetime", "2013-01-31"),
    ("datetime", [0, 10**9]),
    ("instant", "2013-01-31T05:15:00"),
    ("duration", 1.5),
    ("duration", "1s"),
    ("interval", [1, 2]),
    ("interval", [2**31, 0, 0]),
    ({"list": "number"}, [1, "x"]),
    ({"list": "number"}, 1),
    ({"struct": [{"name": "a", "type": "number"}]}, {}),
    ({"struct": [{"name": "a", "type": "number"}]}, {"a": 1, "b": 2}),
    ({"map": ["text", "number"]}, {"a": 1}),
    ("null", 0),
]


class Table:
    """A table of two columns, its leaves and its identity; private with a secret."""

    def __init__(self, numbers, secret=None, order="sorted"):
        self.secret = secret
        self.leaves = [self.asked(number)[1] for number in numbers]
        if order == "sorted":
            self.leaves.sort()
        self.identity = {
            **wf_records.identity({"name": [{"text": "x"}], "number": [{"int": "1"}]}),
            "order": order,
            "root": wf_records.root(self.leaves).hex(),
            "rows": len(self.leaves),
            "salt": SCHEME if secret else "none",
        }

    def asked(self, number):
        """Row as JSON, leaf hash, salt."""
        row = wf_records.row({"name": {"text": f"row {number}"}, "number": {"int": str(number)}})
        salt = salt_of(self.secret, row) if self.secret else None
        return {"name": f"row {number}", "number": number}, leaf(row, salt or b""), salt

    def prove(self, *numbers):
        return wf_proofs.prove(self.identity, self.leaves, [self.asked(number) for number in numbers])


def keys_of(table, numbers):
    """Keys of the column "number"."""
    rows = {number: wf_records.row({"number": {"int": str(number)}}) for number in numbers}
    leaves = sorted({leaf(row) for row in rows.values()})
    identity = {
        "columns": [{"name": "number", "type": "number"}],
        "form": "exact",
        "keyless": 0,
        "keys": len(leaves),
        "order": "sorted",
        "records": identifier(table.identity),
        "root": wf_records.root(leaves).hex(),
        "salt": "none",
        "type": "wf-keys-1",
    }

    def asked(number):
        return {"number": number}, leaf(wf_records.row({"number": {"int": str(number)}})), None

    return wf_proofs.prove(identity, leaves, [asked(number) for number in (2, 9)])


def files():
    found = [(b"a", b"1"), (b"b/c", b"22"), (b"d", b"")]
    leaves = [leaf(wf_files.entry(path, content)) for path, content in found]
    identity = {
        "bytes": sum(len(content) for _, content in found),
        "files": len(found),
        "order": "path",
        "root": wf_records.root(leaves).hex(),
        "salt": "none",
        "type": "wf-files-1",
    }
    row = {"path": "b/c", "sha256": sha256(b"22").hex(), "size": 2}
    return wf_proofs.prove(identity, leaves, [(row, leaves[1], None)])


def cases():
    table, private = Table(range(0, 40, 2)), Table(range(0, 40, 2), SECRET)
    sequence = Table([3, 1, 2], order="sequence")
    part = Table([4, 4, 10])
    double = Table([*range(0, 40, 2), 4])
    good = table.prove(4, 5)
    hashes = good.split("\n\n")[1].split("\n")[:-1]
    yield "one row", table.prove(4), "true", {}
    yield "rows that are there and rows that are not", table.prove(4, 5, 6, 7), "true", {}
    yield "a row twice in the table", double.prove(4), "true", {}
    yield "the only row", Table([1]).prove(1), "true", {}
    yield "absent from a table of one row", Table([1]).prove(2), "true", {}
    yield "absent from the empty table", Table([]).prove(2), "true", {}
    yield "in sequence order", sequence.prove(2), "true", {}
    yield "keys", keys_of(table, range(0, 40, 2)), "true", {}
    yield "a file", files(), "true", {}
    yield "a part", wf_proofs.prove_part(double.identity, double.leaves, part.identity, part.leaves), "true", {}
    yield "private, there, without the secret", private.prove(4), "true", {}
    yield "private, absent, with the secret", private.prove(5), "true", {"secret": SECRET.hex()}
    yield "private, absent, without the secret", private.prove(5), "could not check", {}
    yield "private, absent, with another secret", private.prove(5), "could not check", {"secret": bytes(32).hex()}
    yield "a part, not as often", fewer_of(double, part), "false", {}
    yield "absence from a sequence", forged_sequence(sequence), "could not check", {}
    yield "a hash changed", good.replace(hashes[0], HASH), "false", {}
    yield "a hash less", good.replace(hashes[-1] + "\n", ""), "false", {}
    yield "a hash more", good + HASH + "\n", "false", {}
    yield "hashes swapped", swapped(good, hashes[0], hashes[1]), "false", {}
    yield "another value", table.prove(4).replace('"number":4', '"number":6'), "false", {}
    yield "another index", re_indexed(table.prove(4)), "false", {}
    yield "absent said of a row that is there", forged_absence(table), "false", {}
    yield "another root", good.replace(table.identity["root"], part.identity["root"]), "false", {}
    yield "a leaf too many", good.replace("\n\n", f"\nleaf 19 {HASH}\n\n"), "could not check", {}
    yield "a leaf less", without_leaf(table.prove(5)), "could not check", {}
    yield "a column less", table.prove(4).replace(',"number":4', ""), "could not check", {}
    yield "no claim", good.replace("\npresent ", "\nleaf "), "could not check", {}
    for desc, old, new in [
        ("another version", "wf-proof-1", "wf-proof-2"),
        ("carriage returns", "\n", "\r\n"),
        ("an index with a leading zero", "present ", "present 0"),
        ("a negative index", "present ", "present -"),
        ("a salt where there is none", ' {"name":"row 4"', f' {HASH} {{"name":"row 4"'),
        ("spaces in the identity object", '{"columns"', '{ "columns"'),
        ("a member twice", '{"name":"row 4"', '{"name":"row 4","name":"row 4"'),
        ("no empty line", "\n\n", "\n"),
        ("two empty lines", "\n\n", "\n\n\n"),
        ("a leaf that is no base64", "leaf ", "leaf 1 !"),
        ("base64 without padding", "=\n", "\n"),
        ("an unknown line", "\n\n", "\nnote x\n\n"),
    ]:
        assert old in good, desc
        yield desc, good.replace(old, new), "could not check", {}
    yield "cut off", good[:-1], "could not check", {}
    yield "empty", "", "could not check", {}


def re_indexed(proof):
    index = int(proof.split("present ")[1].split(" ")[0])
    return proof.replace(f"present {index} ", f"present {index ^ 1} ")


def swapped(proof, one, other):
    return proof.replace(one, "\0").replace(other, one).replace("\0", other)


def without_leaf(proof):
    lines = proof.split("\n")
    lines.remove(next(line for line in lines if line.startswith("leaf ")))
    return "\n".join(lines)


def forged_absence(table):
    """Neighbours that are not adjacent, said to be."""
    row, row_leaf, _ = table.asked(4)
    index = table.leaves.index(row_leaf)
    assert 0 < index < len(table.leaves) - 1
    shown = {index - 1: table.leaves[index - 1], index: table.leaves[index + 1]}
    hashes = wf_proofs.proof_hashes(table.leaves, shown)
    return wf_proofs.text(table.identity, [("absent", index, None, row)], shown, hashes)


def forged_sequence(table):
    row, _, _ = table.asked(9)
    shown = {0: table.leaves[0]}
    return wf_proofs.text(
        table.identity, [("absent", 0, None, row)], shown, wf_proofs.proof_hashes(table.leaves, shown)
    )


def fewer_of(table, part):
    """Three rows of which the part says there are more."""
    larger = {**part.identity, "rows": 4}
    proof = wf_proofs.prove_part(table.identity, table.leaves, part.identity, part.leaves)
    return proof.replace(wf_records.canonical_json(part.identity).decode(), wf_records.canonical_json(larger).decode())


def content():
    return {
        "source": "docs/spec/fingerprint-proofs-v1.md; Wherefrom's own, computed by tests/reference; Apache-2.0",
        "values": [
            {"type": kind, "json": value, "cell": wf_records.cell(notation).hex()} for kind, value, notation in VALUES
        ],
        "refused": [{"type": kind, "json": value} for kind, value in REFUSED],
        "proofs": [{"desc": desc, "proof": text, "want": want, **more} for desc, text, want, more in cases()],
    }


def main():
    PATH.write_text(json.dumps(content(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
