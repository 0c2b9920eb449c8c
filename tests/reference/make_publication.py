"""Makes tests/vectors/tlog/publication.json: run once; digests are of the text that the page describes."""

import hashlib
import json
from pathlib import Path

ROWS = [
    {"desc": "no rows", "rows": [], "text": ""},
    {"desc": "integers, text, null", "rows": [[1, "a", None]], "text": '[1,"a",null]\n'},
    {"desc": "text keeps its letters", "rows": [[1, "größe 表"], [2, ""]], "text": '[1,"größe 表"]\n[2,""]\n'},
    {
        "desc": "control characters, quotes and backslashes are escaped",
        "rows": [[1, 'a"b\\c\n\t\x01/']],
        "text": '[1,"a\\"b\\\\c\\n\\t\\u0001/"]\n',
    },
]
ENVELOPE = {
    "payload": "e30=",
    "payloadType": "application/vnd.in-toto+json",
    "signatures": [{"keyid": "k", "sig": "AA=="}],
}
SALT = "00" * 32
DIGEST = hashlib.sha256().hexdigest()


def line(index, **changes):
    value = {"envelope": ENVELOPE, "index": index, "salt": SALT} | changes
    return json.dumps(value, sort_keys=True, separators=(",", ":")) + "\n"


STATEMENTS = [
    ("two statements, one between them erased", 0, line(3) + line(5), [3, 5]),
    ("none is left", 1, "", []),
    ("the last of a bundle", 1, line(511), [511]),
    ("of another bundle", 0, line(256), None),
    ("before the bundle", 1, line(255), None),
    ("twice", 0, line(3) + line(3), None),
    ("out of order", 0, line(5) + line(3), None),
    ("no newline at the end", 0, line(3)[:-1], None),
    ("an empty line", 0, line(3) + "\n", None),
    ("a salt too short", 0, line(3, salt="00"), None),
    ("one member more", 0, line(3, more=1), None),
    ("a space more", 0, line(3).replace(":", ": ", 1), None),
    ("an index that is text", 0, line("3"), None),
]


def lineage(**changes):
    value = {"size": 7, "type": "wherefrom-lineage-1", "views": {"runs": {"rows": 0, "sha256": DIGEST}}} | changes
    return json.dumps(value, sort_keys=True, separators=(",", ":")) + "\n"


LINEAGES = [
    ("one view", lineage(), "ok"),
    ("no view", lineage(views={}), "ok"),
    ("another type", lineage(type="wherefrom-lineage-2"), "error"),
    ("a negative size", lineage(size=-1), "error"),
    ("no newline at the end", lineage()[:-1], "error"),
    ("one member more", lineage(more=1), "error"),
    ("digest in capitals", lineage(views={"runs": {"rows": 0, "sha256": DIGEST.upper()}}), "error"),
    ("a space more", lineage().replace(":", ": ", 1), "error"),
]


def main():
    vectors = {
        "source": "docs/spec/publication.md; made by tests/reference/make_publication.py",
        "rows": [case | {"sha256": hashlib.sha256(case["text"].encode()).hexdigest()} for case in ROWS],
        "statements": [
            {"desc": desc, "bundle": bundle, "data": data, "want": "error" if want is None else want}
            for desc, bundle, data, want in STATEMENTS
        ],
        "lineages": [{"desc": desc, "data": data, "want": want} for desc, data, want in LINEAGES],
    }
    path = Path(__file__).parents[1] / "vectors" / "tlog" / "publication.json"
    path.write_text(json.dumps(vectors, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
