"""Write tests/vectors/fingerprints/*.json from the reference: `python -m tests.reference.make_vectors`.

The cases stand here, the expected bytes come from the reference, and a test holds the files to both.
"""

import json
import struct
from pathlib import Path

from tests.reference import text_sources, wf_files, wf_records

FOLDER = Path(__file__).parent.parent / "vectors" / "fingerprints"
SOURCE = "Wherefrom's own, computed by tests/reference; Apache-2.0"


def number(value):
    return {"int": str(value)}


def floating(value):
    return {"float": struct.pack(">d", value).hex()}


def text(value):
    return {"text": value}


def column(name, *values):
    return {"name": name, "values": list(values)}


def nested(levels):
    value = number(1)
    for _ in range(levels):
        value = {"list": [value]}
    return value


EACH_TYPE = {
    "boolean": [True, False],
    "integers": [number(value) for value in (0, 1, -1, 127, -(2**63), 2**63 - 1, 2**63, 2**64 - 1)],
    "floats": [
        floating(value) for value in (0.5, -0.0, 3.0, 1e300, 2.0**63, 2.0**64, -(2.0**63), 5e-324, float("-inf"))
    ],
    "NaN": [{"float": bits} for bits in ("7ff8000000000000", "fff8000000000000", "7ff0000000000001")],
    "decimal": [
        {"decimal": digits} for digits in ("1.50", "0.00", "-120", "0.1", "9" * 76, "-" + "9" * 38 + "." + "9" * 38)
    ],
    "text": [text(value) for value in ("", "a", "NA", "naïve", "nai\u0308ve", "𝄞\n\x00")],
    "binary": [{"binary": digits} for digits in ("", "00", "ff00fe")],
    "date": [{"date": days} for days in ("0", "-1", "20778", "-719162", "2932896", "106751991167")],
    "time": [{"time": nanoseconds} for nanoseconds in ("0", "1", "86399999999999")],
    "datetime": [{"datetime": pair} for pair in (["0", "0"], ["-1", "999999999"], ["1795248000", "1000"])],
    "instant": [{"instant": pair} for pair in (["0", "0"], ["-1", "999999999"], [str(2**63 - 1), "0"])],
    "duration": [{"duration": pair} for pair in (["0", "0"], ["-1", "500000000"], ["86400", "1"])],
    "interval": [{"interval": parts} for parts in (["0", "0", "0"], ["1", "-30", "1"], ["0", "0", str(-(2**63))])],
    "list": [{"list": values} for values in ([], [None], [number(1), floating(0.5)], [number(0), None, number(0)])],
    "list of lists": [{"list": [{"list": []}, {"list": [text("a")]}, None]}],
    "struct": [
        {"struct": {"b": number(1), "a": text("x")}},
        {"struct": {"a": None, "b": None}},
        {"struct": {"a": text("y"), "b": floating(2.0)}},
    ],
    "struct without fields": [{"struct": {}}, None],
    "map": [
        {"map": entries} for entries in ([], [[text("b"), number(1)], [text("a"), None]], [[text("a"), number(1)]] * 2)
    ],
    "lists that are all empty": [{"list": []}, {"list": []}],
    "maps that are all empty": [{"map": []}, {"map": []}],
    "empty ones inside": [{"list": [{"struct": {"m": {"map": []}, "l": {"list": []}}}, None]}],
    "map of maps": [{"map": [[number(2), {"map": [[text("b"), None], [text("a"), {"list": []}]]}], [number(1), None]]}],
    "64 levels": [nested(63)],
    "only nulls": [None, None],
}

SECRET = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"  # noqa: S105  # for everybody
OTHER_SECRET = "ff" * 32
SECRETS = [
    {"desc": "counting bytes", "text": "wf-secret-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "want": SECRET},
    {"desc": "a line end", "text": "wf-secret-1://////////////////////////////////////////8=\n", "want": OTHER_SECRET},
    *(
        {"desc": desc, "text": content, "want": None}
        for desc, content in (
            ("nothing", ""),
            ("no prefix", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
            ("another version", "wf-secret-2:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
            ("31 bytes", "wf-secret-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg=="),
            ("33 bytes", "wf-secret-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g"),
            ("no padding", "wf-secret-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"),
            ("bits that base64 leaves over", "wf-secret-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9="),
            ("the other alphabet", "wf-secret-1:__________________________________________8="),
            ("white space", "wf-secret-1: AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
            ("another line end", "wf-secret-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\r\n"),
            ("two lines", "wf-secret-1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n"),
        )
    ),
]

REPEATED = [
    column("id", number(3), number(1), number(3), None, number(1)),
    column("name", text("c"), None, text("c"), text("a"), None),
]
URLS = ("HTTPS://Example.org:443/a/../b#top", "https://example.org/b", " https://example.org/./b\n")

# What the specification says, and its sources: not computed by the reference, which a test holds to them.
FORMS = [
    ("text", "", ""),
    ("text", " \t\r\n", ""),
    ("text", "Ann", "ann"),
    ("text", "  a \u00a0\u2003 b\u2028c\u0085d\u1680e  ", "a b c d e"),
    ("text", "a\u001cb\u200bc\u00add", "a\u001cb\u200bc\u00add"),
    ("text", "e\u0301", "é"),
    ("text", "É", "é"),
    ("text", "Straße", "strasse"),
    ("text", "STRASSE", "strasse"),
    ("text", "ὈΔΥΣΣΕΎΣ", "ὀδυσσεύσ"),
    ("text", "İ", "i\u0307"),
    ("text", "I", "i"),
    ("text", "ﬁ ½ ① Ⅷ ㎏ ＡＢ", "fi 1⁄2 1 viii kg ab"),
    ("text", "ΐ", "ΐ"),
    ("text", "a\u0323\u0307", "ạ\u0307"),
    ("text", "a\u0307\u0323", "ạ\u0307"),
    ("text", "Ꭰꭰ", "ᎠᎠ"),
    ("text", "\ufdfa", "صلى الله عليه وسلم"),
    # A letter of Unicode 16.0 that has a lower case, and one of 15.0: unknown to 14.0, so they stay as they are.
    ("text", "A\u1c89\U00010d50\U0001e4ef", "a\u1c89\U00010d50\U0001e4ef"),
    ("text", "a\u0301\u0378\u0301É", "á\u0378\u0301é"),
    ("url", "https://example.org", "https://example.org/"),
    ("url", "HTTP://USER@EXAMPLE.org:80/%7Ea?b=c d#e", "http://USER@example.org/%7Ea?b=c%20d"),
    ("url", "https://example.org/a#", "https://example.org/a"),
    ("url", "https://example.org/?#a", "https://example.org/?"),
    ("url", "https://example.org/a/./b/../c", "https://example.org/a/c"),
    ("url", "https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
    ("url", "https://0x7f.1/", "https://127.0.0.1/"),
    ("url", "https://[1:0::]/", "https://[1::]/"),
    ("url", "ht\ntps:\\\\example.org\\a", "https://example.org/a"),
    ("url", "mailto:Ann@Example.org#x", "mailto:Ann@Example.org"),
    ("url", "file:///C|/x", "file:///C:/x"),
    ("url", "", None),
    ("url", "example.org", None),
    ("url", "/a", None),
    ("url", "//example.org", None),
    ("url", "https://", None),
    ("url", "https://a b/", None),
    ("url", "https://example.org:65536/", None),
    ("url", "https://[1::2::3]/", None),
]

REFUSED_KEYS = [
    {"desc": "form text of numbers", "columns": [column("a", number(1))], "key": {"columns": ["a"], "form": "text"}},
    {"desc": "form text of binary", "columns": [column("a", {"binary": "61"})],
     "key": {"columns": ["a"], "form": "text"}},
    {"desc": "form url of lists", "columns": [column("a", {"list": [text("https://a/")]})],
     "key": {"columns": ["a"], "form": "url"}},
    {"desc": "form url of no URL", "columns": [column("a", text("https://a/"), text("a"))],
     "key": {"columns": ["a"], "form": "url"}},
    {"desc": "form document of booleans", "columns": [column("a", True)],
     "key": {"columns": ["a"], "form": "document"}},
    {"desc": "form text of two columns", "columns": [column("a", text("a")), column("b", text("b"))],
     "key": {"columns": ["a", "b"], "form": "text"}},
]  # fmt: skip

TABLES = [
    {"desc": "no columns, no rows", "columns": [], "rows": 0},
    {"desc": "no columns, three rows", "columns": [], "rows": 3},
    {"desc": "a column, no rows", "columns": [column("a")]},
    {"desc": "a number", "columns": [column("a", number(1))]},
    {"desc": "a column whose name is empty", "columns": [column("", text("x"))]},
    {
        "desc": "columns in the order of their UTF-8 bytes: Z, a, é, and a name beyond the BMP after U+FFFD",
        "columns": [
            column("\U00010000", number(1)),
            column("\ufffd", number(2)),
            column("é", number(3)),
            column("a", number(4)),
            column("Z", number(5)),
        ],
    },
    {
        "desc": "rows that repeat, and nulls between values",
        "columns": [
            column("id", number(3), number(1), number(3), None, number(1)),
            column("name", text("c"), None, text("c"), text("a"), None),
        ],
    },
    *(
        {"desc": f"type: {name}", "columns": [column("value", *values, *([] if None in values else [None]))]}
        for name, values in EACH_TYPE.items()
    ),
    {
        "desc": "keys: a customer twice, one without an id, two key columns",
        "columns": [
            column("customer", number(7), number(8), number(7), None, None),
            column("country", text("NO"), text("NO"), text("NO"), text("SE"), None),
            column("amount", floating(1.5), floating(2.5), floating(1.5), floating(0.0), None),
        ],
        "keys": [{"columns": ["customer"]}, {"columns": ["customer", "country"]}],
    },
    *(
        {**case, "desc": f"private: {case['desc']}", "secret": SECRET}
        for case in (
            {"desc": "a column, no rows", "columns": [column("a")]},
            {"desc": "no columns, two rows: equal rows have equal leaves", "columns": [], "rows": 2},
            {"desc": "a number", "columns": [column("a", number(1))]},
            {"desc": "a key that is also the whole row has another salt", "columns": [column("a", number(1))],
             "keys": [{"columns": ["a"]}]},
            {"desc": "rows that repeat, and nulls", "columns": REPEATED, "keys": [{"columns": ["id"]}]},
            {"desc": "only nulls: a row, but no key", "columns": [column("a", None)], "keys": [{"columns": ["a"]}]},
            *({"desc": f"type: {name}", "columns": [column("value", *values)]} for name, values in EACH_TYPE.items()),
        )
    ),
    {"desc": "private: a number under another secret", "columns": [column("a", number(1))], "secret": OTHER_SECRET},
    {"desc": "sequence: no rows", "columns": [column("a")], "order": "sequence"},
    {"desc": "sequence: one row is the same tree as sorted, but another id", "columns": [column("a", number(1))],
     "order": "sequence"},
    {"desc": "sequence: rows that repeat, and their sorted keys", "columns": REPEATED, "order": "sequence",
     "keys": [{"columns": ["id"]}]},
    {"desc": "sequence, private", "columns": REPEATED, "order": "sequence", "secret": SECRET,
     "keys": [{"columns": ["id"]}]},
    *(
        {**case, "desc": f"{mode}: {case['desc']}", **options}
        for mode, options in (("open", {}), ("private", {"secret": SECRET}))
        for case in (
            {"desc": "form text: three spellings are one key, an empty one is another, null is none",
             "columns": [column("name", *map(text, ("Ann  Lee", " ANN\tlee\u3000", "Ａnn Lee", " ")), None)],
             "keys": [{"columns": ["name"], "form": "text"}, {"columns": ["name"]}]},
            {"desc": "form url: three spellings are one key",
             "columns": [column("url", *map(text, URLS))],
             "keys": [{"columns": ["url"], "form": "url"}]},
            {"desc": "form document: texts, and the same as binary",
             "columns": [column("page", *map(text, ("", "naïve", "naïve")), None),
                         column("same", *({"binary": digits} for digits in ("", *["6e61c3af7665"] * 2)), None)],
             "keys": [{"columns": ["page"], "form": "document"}, {"columns": ["same"], "form": "document"}]},
            {"desc": "forms of a column without values", "columns": [column("a", None, None)],
             "keys": [{"columns": ["a"], "form": form} for form in ("exact", "text", "url", "document")]},
        )
    ),
]  # fmt: skip

EQUAL = [
    {
        "desc": "order of columns, leaves in the order of rows",
        "columns": [
            [column("a", number(1), number(2)), column("b", text("x"), text("y"))],
            [column("b", text("x"), text("y")), column("a", number(1), number(2))],
        ],
        "order": "sequence",
    },
    {
        "desc": "order of rows, private",
        "columns": [[column("a", number(1), number(2))], [column("a", number(2), number(1))]],
        "secret": SECRET,
    },
    {
        "desc": "order of rows",
        "columns": [[column("a", number(1), number(2), number(2))], [column("a", number(2), number(1), number(2))]],
    },
    {
        "desc": "order of columns",
        "columns": [[column("a", number(1)), column("b", text("x"))], [column("b", text("x")), column("a", number(1))]],
    },
    {
        "desc": "an integer and the float that it is",
        "columns": [[column("a", number(3))], [column("a", floating(3.0))]],
    },
    {"desc": "zero and minus zero", "columns": [[column("a", floating(0.0))], [column("a", floating(-0.0))]]},
    {
        "desc": "NaN and NaN",
        "columns": [[column("a", {"float": "7ff8000000000000"})], [column("a", {"float": "ffffffffffffffff"})]],
    },
    {"desc": "1.5 and 1.50", "columns": [[column("a", {"decimal": "1.5"})], [column("a", {"decimal": "1.50"})]]},
    {"desc": "decimal zeros", "columns": [[column("a", {"decimal": "0"})], [column("a", {"decimal": "-0.000"})]]},
    {
        "desc": "order of the entries of a map",
        "columns": [
            [column("a", {"map": [[text("x"), number(1)], [text("y"), number(2)]]})],
            [column("a", {"map": [[text("y"), number(2)], [text("x"), number(1)]]})],
        ],
    },
]

DIFFERENT = [
    {"desc": "order of rows, where it counts", "order": "sequence", "columns": [
        [column("a", number(1), number(2))],
        [column("a", number(2), number(1))],
    ]},
    {"desc": "another value, private", "columns": [[column("a", number(1))], [column("a", number(2))]],
     "secret": SECRET},
    {"desc": "another value", "columns": [[column("a", number(1))], [column("a", number(2))]]},
    {"desc": "a row twice", "columns": [[column("a", number(1))], [column("a", number(1), number(1))]]},
    {"desc": "another name", "columns": [[column("a", number(1))], [column("b", number(1))]]},
    {"desc": "names in other case", "columns": [[column("a", number(1))], [column("A", number(1))]]},
    {"desc": "composed and decomposed names", "columns": [[column("é", number(1))], [column("e\u0301", number(1))]]},
    {"desc": "a column of nulls more", "columns": [
        [column("a", number(1))],
        [column("a", number(1)), column("b", None)],
    ]},
    {"desc": "values of two columns swapped", "columns": [
        [column("a", number(1)), column("b", number(2))],
        [column("a", number(2)), column("b", number(1))],
    ]},
    {"desc": "values of two rows swapped in one column", "columns": [
        [column("a", number(1), number(2)), column("b", number(1), number(2))],
        [column("a", number(1), number(2)), column("b", number(2), number(1))],
    ]},
    {"desc": "null and NaN", "columns": [[column("a", None)], [column("a", floating(float("nan")))]]},
    {"desc": "null and zero", "columns": [[column("a", None)], [column("a", number(0))]]},
    {"desc": "null and no text", "columns": [[column("a", None)], [column("a", text(""))]]},
    {"desc": "null and an empty list", "columns": [[column("a", None)], [column("a", {"list": []})]]},
    {"desc": "an empty list and a list of null", "columns": [
        [column("a", {"list": []})],
        [column("a", {"list": [None]})],
    ]},
    {"desc": "a null struct and a struct of nulls", "columns": [
        [column("a", None, {"struct": {"x": number(1)}})],
        [column("a", {"struct": {"x": None}}, {"struct": {"x": number(1)}})],
    ]},
    {"desc": "number and its text", "columns": [[column("a", number(1))], [column("a", text("1"))]]},
    {"desc": "number and boolean", "columns": [[column("a", number(1))], [column("a", True)]]},
    {"desc": "float and decimal", "columns": [[column("a", floating(0.5))], [column("a", {"decimal": "0.5"})]]},
    {"desc": "integer and decimal", "columns": [[column("a", number(5))], [column("a", {"decimal": "5"})]]},
    {"desc": "a float and its neighbour", "columns": [
        [column("a", {"float": "3fb999999999999a"})],
        [column("a", {"float": "3fb999999999999b"})],
    ]},
    {"desc": "0.1 as float32 and as float64", "columns": [
        [column("a", {"float": "3fb99999a0000000"})],
        [column("a", {"float": "3fb999999999999a"})],
    ]},
    {"desc": "2^53 + 1, and what a float makes of it", "columns": [
        [column("a", number(2**53 + 1))],
        [column("a", floating(2.0**53))],
    ]},
    {"desc": "text and binary", "columns": [[column("a", text("a"))], [column("a", {"binary": "61"})]]},
    {"desc": "text composed and decomposed", "columns": [[column("a", text("é"))], [column("a", text("e\u0301"))]]},
    {"desc": "naive datetime and instant", "columns": [
        [column("a", {"datetime": ["0", "0"]})],
        [column("a", {"instant": ["0", "0"]})],
    ]},
    {"desc": "date and midnight", "columns": [[column("a", {"date": "0"})], [column("a", {"datetime": ["0", "0"]})]]},
    {"desc": "order inside a list", "columns": [
        [column("a", {"list": [number(1), number(2)]})],
        [column("a", {"list": [number(2), number(1)]})],
    ]},
    {"desc": "where one list ends and the next begins", "columns": [
        [column("a", {"list": [{"list": [number(1)]}, {"list": []}]})],
        [column("a", {"list": [{"list": []}, {"list": [number(1)]}]})],
    ]},
    {"desc": "names of fields", "columns": [
        [column("a", {"struct": {"x": number(1)}})],
        [column("a", {"struct": {"y": number(1)}})],
    ]},
    {"desc": "map and list of structs", "columns": [
        [column("a", {"map": [[text("x"), number(1)]]})],
        [column("a", {"list": [{"struct": {"key": text("x"), "value": number(1)}}]})],
    ]},
]  # fmt: skip

REFUSED = [
    {"desc": "two columns of one name", "columns": [column("a", number(1)), column("a", number(2))]},
    {"desc": "a name with a lone surrogate", "columns": [column("\ud800", number(1))]},
    {"desc": "an integer above 64 bits", "columns": [column("a", number(2**64))]},
    {"desc": "an integer below 64 bits", "columns": [column("a", number(-(2**63) - 1))]},
    {"desc": "numbers and text in one column", "columns": [column("a", number(1), text("1"))]},
    {"desc": "numbers and booleans in one column", "columns": [column("a", number(1), True)]},
    {"desc": "numbers and decimals in one column", "columns": [column("a", number(1), {"decimal": "1"})]},
    {"desc": "text and binary in one column", "columns": [column("a", text("a"), {"binary": "61"})]},
    {"desc": "dates and datetimes in one column", "columns": [column("a", {"date": "0"}, {"datetime": ["0", "0"]})]},
    {
        "desc": "datetimes with and without a zone in one column",
        "columns": [column("a", {"datetime": ["0", "0"]}, {"instant": ["0", "0"]})],
    },
    {
        "desc": "lists of numbers and of text in one column",
        "columns": [column("a", {"list": [number(1)]}, {"list": [text("1")]})],
    },
    {
        "desc": "structs with different fields in one column",
        "columns": [column("a", {"struct": {"x": number(1)}}, {"struct": {"y": number(1)}})],
    },
    {"desc": "65 levels", "columns": [column("a", nested(64))]},
]

CSV = [
    ("numbers, text, booleans, nulls", "id,name,ok\n1,Ann,True\n2,NA,false\n,Bo,\n"),
    ("a column that turns out to be text", "a,b\n1,1\n2,2\nx,3\n"),
    ("a column that turns out to be floats", "a,b\n1,9007199254740993\n2.5,1\n3,0.5\n"),
    ("integers of 64 bits without a sign", "a,b\n18446744073709551615,18446744073709551615\n0,-1\n"),
    ("integers beyond 64 bits", "a\n18446744073709551616\n1\n"),
    ("spellings of numbers", "a\n+5\n 7 \n007\n1.\n.5\n-1.5E-3\ninf\n-Infinity\n1e400\n"),
    ("no numbers", "a,b,c,d,e,f\n0x10,1_000,1e,٣,--1,NAN\n"),
    ("leading zeros stay in text", "zip,code\n01234,A1\n98765,007\n"),
    ("booleans beside numbers are text", "a\ntrue\n1\n"),
    ("quotes, separators, line ends inside fields", 'a,b\n"x,1","say ""hi"""\n"two\nlines",""\n'),
    ("quoted nulls and numbers count as unquoted ones", 'a,b\n"NA","1"\n"x","2"\n'),
    ("dates are text", "day\n2013-01-01\n2013-01-01T05:00:00Z\n"),
    ("CRLF, no line end at the end, a byte order mark", "\ufeffa,b\r\n1,x\r\n2,y"),
    ("empty lines", "\na,b\n\n1,2\n\n\n3,4\n"),
    ("a header and no rows", "a,b\n"),
    ("nothing but nulls", "a,b\n,NA\nnull,\n"),
]

JSON_LINES = [
    ("each kind", '{"n": 1, "f": 0.5, "t": "x", "b": true, "l": [1, null, 2.5], "s": {"x": 1}}\n{"n": null}\n'),
    ("an absent member is null", '{"a": 1}\n\n{"b": 2}\n'),
    ("NA is text, and so are dates", '{"a": "NA", "d": "2013-01-01T05:00:00Z"}\n'),
    ("integers and floats in one column", '{"a": 9007199254740993}\n{"a": 0.5}\n'),
    ("large integers", '{"a": 18446744073709551615}\n{"a": 0}\n'),
    ("fields that appear later", '{"a": {"x": 1}}\n{"a": {"y": [{"z": "t"}]}}\n'),
    ("escapes", '{"\\u00e9": "\\ud834\\udd1e\\u0000"}\n'),
    ("no rows", "\n\n"),
]

REFUSED_CSV = [
    ("nothing", "", "is empty, expected a header"),
    ("too few fields", "a,b\n1,2\n3\n", "line 3: 1 field, expected 2"),
    ("too many fields", "a,b\n1,2\n\n3,4,5\n", "line 4: 3 fields, expected 2"),
    ("too few fields after a field of two lines", 'a,b\n"1\n2",3\n4\n', "line 4: 1 field, expected 2"),
    ("two columns of one name", "a,b,a\n1,2,3\n", "line 1: two columns are named 'a'"),
]

REFUSED_JSON_LINES = [
    ("no JSON", '{"a": 1}\n{"a": \n', "line 2: no JSON"),
    ("two objects on a line", '{"a": 1} {"a": 2}\n', "line 1: no JSON"),
    ("one object on two lines", '{"a":\n1}\n', "line 1: no JSON"),
    ("an array", '{"a": 1}\n[1]\n', "line 2: expected an object, got list"),
    ("a name twice", '{"a": 1, "a": 2}\n', "line 1: two members are named 'a'"),
    ("NaN", '{"a": NaN}\n', "line 1: NaN is no JSON"),
    ("a number, then text", '{"a": 1}\n{"a": "x"}\n', "line 2: column 'a' holds text where it held number before"),
    (
        "a number, then a boolean",
        '{"a": 1}\n\n{"a": true}\n',
        "line 3: column 'a' holds boolean where it held number before",
    ),
    ("two kinds inside a list", '{"a": [1, "x"]}\n', "line 1: column 'a' holds"),
    ("a lone surrogate", '{"a": "\\ud800"}\n', "line 1: "),
]

FILES = [
    {"desc": "an empty folder", "files": {}},
    {"desc": "a single file", "files": {"": "68656c6c6f0a"}},
    {"desc": "a single empty file", "files": {"": ""}},
    {"desc": "a folder with one file", "files": {"hello.txt": "68656c6c6f0a"}},
    {
        "desc": "order of path bytes: '/' sorts after '-' and '.', upper case before lower",
        "files": {"a/b": "01", "a-b": "02", "a.b": "03", "B": "04", "a": "05"},
    },
    {
        "desc": "names that other formats stumble over",
        "files": {
            "two\nlines": "00",
            "c:d": "00",
            "back\\slash": "00",
            ".hidden": "00",
            " ": "00",
            "é": "01",
            "e\u0301": "02",
        },
    },
    {"desc": "equal contents under two names", "files": {"x": "616263", "y": "616263"}},
]

DIFFERENT_FILES = [
    {"desc": "a byte", "files": [{"a": "00"}, {"a": "01"}]},
    {"desc": "a name", "files": [{"a": "00"}, {"b": "00"}]},
    {"desc": "contents swapped", "files": [{"a": "00", "b": "01"}, {"a": "01", "b": "00"}]},
    {"desc": "a file and a folder with that file", "files": [{"": "00"}, {"a": "00"}]},
    {"desc": "an empty file more", "files": [{"a": "00"}, {"a": "00", "b": ""}]},
    {"desc": "where a path ends", "files": [{"a/b": "00"}, {"a": "00", "b": ""}]},
]


def as_table(columns):
    if len({item["name"] for item in columns}) < len(columns):
        raise ValueError("two columns of one name")
    return {item["name"]: item["values"] for item in columns}


def options(case):
    """Order and secret of a case, as the reference takes them."""
    return {
        "order": case.get("order", "sorted"),
        "secret": bytes.fromhex(case["secret"]) if "secret" in case else None,
    }


def steps(case):
    table = as_table(case["columns"])
    how = options(case)
    rows = wf_records.rows_of(table, case.get("rows"))
    identity = wf_records.identity(table, case.get("rows"), **how)
    want = {
        "rows": [row.hex() for row in rows],
        "leaf_hashes": [leaf_hash.hex() for leaf_hash in wf_records.leaf_hashes(rows, **how)],
        "identity": identity,
        "id": wf_records.identifier(identity),
    }
    if how["secret"] is not None:
        want["salts"] = [wf_records.salt_of(row, how["secret"], wf_records.ROW).hex() for row in rows]
    if "keys" in case:
        want["keys"] = [key_steps(table, key, how) for key in case["keys"]]
    return {**case, "want": want}


def key_steps(table, key, how):
    form = key.get("form", "exact")
    identity = wf_records.key_identity(table, key["columns"], form, **how)
    rows = wf_records.rows_of(wf_records.key_table(table, key["columns"], form))
    return {"rows": [row.hex() for row in rows], "identity": identity, "id": wf_records.identifier(identity)}


def records():
    return {
        "source": SOURCE,
        "tables": [steps(case) for case in TABLES],
        "equal": EQUAL,
        "different": DIFFERENT,
        "refused": REFUSED,
        "forms": [{"form": form, "text": value, "want": want} for form, value, want in FORMS],
        "refused_keys": REFUSED_KEYS,
        "secrets": [secret_steps(case) for case in SECRETS],
    }


def secret_steps(case):
    if case["want"] is None:
        return case
    secret = bytes.fromhex(case["want"])
    return {**case, "want": {"secret": secret.hex(), "salt": wf_records.salt_member(secret)}}


def text_case(desc, content, read):
    table = read(content.encode())
    columns = [{"name": name, "values": values} for name, values in sorted(table.items())]
    count = len(columns[0]["values"]) if columns else 0
    return {
        "desc": desc,
        "content": content,
        "want": {"columns": columns, "id": wf_records.identifier(wf_records.identity(table, count))},
    }


def sources():
    return {
        "source": SOURCE,
        "csv": [text_case(desc, content, text_sources.read_csv) for desc, content in CSV],
        "jsonl": [text_case(desc, content, text_sources.read_json_lines) for desc, content in JSON_LINES],
        "refused": {
            "csv": [{"desc": desc, "content": content, "message": message} for desc, content, message in REFUSED_CSV],
            "jsonl": [
                {"desc": desc, "content": content, "message": message} for desc, content, message in REFUSED_JSON_LINES
            ],
        },
    }


def file_steps(case):
    files = {path.encode(): bytes.fromhex(content) for path, content in case["files"].items()}
    identity = wf_files.identity(files)
    want = {
        "entries": [wf_files.entry(path, files[path]).hex() for path in sorted(files)],
        "identity": identity,
        "id": wf_records.identifier(identity),
        "sha256": wf_records.sha256(files[b""]).hex() if b"" in files else None,
    }
    return {**case, "want": want}


def files():
    return {"source": SOURCE, "files": [file_steps(case) for case in FILES], "different": DIFFERENT_FILES}


VECTORS = {"records.json": records, "sources.json": sources, "files.json": files}

if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, make in VECTORS.items():
        (FOLDER / name).write_text(json.dumps(make(), indent=1) + "\n", encoding="utf-8")
