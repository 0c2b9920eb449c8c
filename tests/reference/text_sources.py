"""`docs/spec/fingerprint-records-v1.md` section 6: CSV and JSON Lines to tables in the notation of the vectors."""

import csv
import io
import json
import re
import struct

NULLS = {
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
}  # fmt: skip
TRUE, FALSE = {"true", "True", "TRUE"}, {"false", "False", "FALSE"}
INTEGER = re.compile(r"[ \t]*[+-]?[0-9]+[ \t]*")
NUMBER = re.compile(
    r"[ \t]*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?[ \t]*|[ \t]*[+-]?(inf|infinity)[ \t]*", re.IGNORECASE
)


def float_value(number):
    try:
        return {"float": struct.pack(">d", float(number)).hex()}
    except OverflowError:
        return {"float": struct.pack(">d", float("inf") if number > 0 else float("-inf")).hex()}


def number_values(numbers):
    """Section 6.1: integers if all are, and all fit; else the nearest float of each. None stays."""
    present = [number for number in numbers if number is not None]
    if all(isinstance(number, int) for number in present):
        lowest, highest = min(present, default=0), max(present, default=0)
        if (lowest >= -(2**63) and highest < 2**63) or (lowest >= 0 and highest < 2**64):
            return [None if number is None else {"int": str(number)} for number in numbers]
    return [None if number is None else float_value(number) for number in numbers]


def read_csv(data, delimiter=","):
    rows = [row for row in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=delimiter) if row]
    header, body = rows[0], rows[1:]
    return {name: csv_column([row[index] for row in body]) for index, name in enumerate(header)}


def csv_column(texts):
    fields = [None if text in NULLS else text for text in texts]
    present = [field for field in fields if field is not None]
    if all(field in TRUE | FALSE for field in present):
        return [None if field is None else field in TRUE for field in fields]
    if all(NUMBER.fullmatch(field) for field in present):
        return number_values(
            [None if field is None else (int if INTEGER.fullmatch(field) else float)(field) for field in fields]
        )
    return [None if field is None else {"text": field} for field in fields]


def read_json_lines(data):
    objects = [json.loads(line) for line in data.decode("utf-8-sig").split("\n") if line.strip()]
    names = sorted({name for item in objects for name in item})
    return {name: json_column([item.get(name) for item in objects]) for name in names}


def json_column(values):
    """Values of one kind, nested ones with theirs."""
    present = [value for value in values if value is not None]
    kind = type(present[0]) if present else None
    if kind in (int, float):
        return number_values(values)
    if kind is str:
        return [None if value is None else {"text": value} for value in values]
    if kind is list:
        elements = iter(json_column([element for value in present for element in value]))
        return [None if value is None else {"list": [next(elements) for _ in value]} for value in values]
    if kind is dict:
        names = sorted({name for value in present for name in value})
        fields = {name: iter(json_column([value.get(name) for value in present])) for name in names}
        return [None if value is None else {"struct": {name: next(fields[name]) for name in names}} for value in values]
    return values
