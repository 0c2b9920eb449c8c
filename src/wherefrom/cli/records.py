"""`prove` and `diff`: single records in a set, and what differs between two."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from wherefrom.cli.app import EXIT_FALSE, app
from wherefrom.cli.files import write_whole
from wherefrom.cli.output import mark, print_json, say
from wherefrom.cli.recording import AsJson
from wherefrom.cli.sets import Private, SecretFile, find_secret, is_readable, open_tree, parse_asked, to_form
from wherefrom.commitments import RecordsFingerprint, Secret
from wherefrom.commitments.proof import Proof, format_proof, format_row
from wherefrom.errors import FormatError, MismatchError
from wherefrom.fingerprints import KeptTree, Key, prove_files, prove_part, prove_rows, read_file_entries
from wherefrom.strict import parse_json

Leaves = Annotated[
    Path | None,
    typer.Option(help="Folder where leaves are kept; the project's archive by default.", show_default=False),
]


@app.command()
def prove(
    dataset: Annotated[str, typer.Argument(help="A table's path, a recorded name, or `wf-records-1:…`; a folder.")],
    *,
    row: Annotated[list[str] | None, typer.Option(help="A whole row, as a JSON object.")] = None,
    row_file: Annotated[Path | None, typer.Option(help="A table (CSV, JSON Lines, Parquet) of whole rows.")] = None,
    key: Annotated[list[str] | None, typer.Option(help="COLUMN=VALUE, or a JSON object of several columns.")] = None,
    keys: Annotated[Path | None, typer.Option(help="A table whose columns are the key columns.")] = None,
    form: Annotated[str, typer.Option(help="Of the keys: exact, text, url or document.")] = "exact",
    file: Annotated[list[str] | None, typer.Option(help="A file of a folder, by its path in it.")] = None,
    part: Annotated[str | None, typer.Option(help="A table: prove that all its rows are in DATASET.")] = None,
    absent: Annotated[bool, typer.Option("--absent", help="Prove that none of them is in it.")] = False,
    either: Annotated[bool, typer.Option("--either", help="Prove of each whichever is true.")] = False,
    secret: SecretFile = None,
    private: Private = False,
    leaves: Leaves = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The file to write; else printed.")] = None,
    as_json: AsJson = False,
) -> None:
    """Prove that rows, keys or files are in a set, or are not; anybody can verify it offline, without the data.

    Exit status 1 when it is not so. Example: `wherefrom prove train.parquet --key customer_id=123 --absent -o proof` ·
    `wherefrom prove data/train.parquet --row-file sample.csv` · `wherefrom prove images/ --file cats/1.png`
    """
    asked = [bool(row or row_file), bool(key or keys), bool(file), bool(part)]
    if sum(asked) != 1:
        raise typer.BadParameter("say what to prove: rows (--row, --row-file), keys (--key, --keys), --file or --part")
    opened = find_secret(secret, is_private=private)
    if file:
        proof = prove_files(read_file_entries(dataset), file)
    elif part:
        with (
            open_tree(dataset, leaves=leaves, secret=opened) as tree,
            open_tree(part, leaves=leaves, secret=opened) as smaller,
        ):
            proof = prove_part(tree, smaller)
    else:
        kind = _key_of(key, keys, form)
        with open_tree(dataset, leaves=leaves, key=kind, secret=opened) as tree:
            rows = list(_iter_rows(tree, [*(row or []), *(key or [])], row_file or keys))
            proof = prove_rows(tree, rows, secret=opened)
    if not either:
        _expect(proof, "absent" if absent else "present")
    _give(proof, output, as_json=as_json)


def _key_of(key: list[str] | None, keys: Path | None, form: str) -> Key | None:
    """Which columns are asked for; None for whole rows."""
    if key:
        first = key[0]
        is_json = first.lstrip().startswith("{")
        names = parse_json(first.encode(), what=f"key {first!r}") if is_json else [first.partition("=")[0]]
        return Key(tuple(names), form)
    if keys:
        return Key(tuple(next(_read_rows(keys), {})), form)
    if form != "exact":
        raise typer.BadParameter("--form is said of keys; whole rows have none")
    return None


def _iter_rows(tree: KeptTree, texts: list[str], table: Path | None) -> Iterator[dict[str, Any]]:
    for text in texts:
        yield parse_asked(text, tree.identity)
    if table is not None:
        for row in _read_rows(table):
            yield to_form(row, tree.identity)


def _read_rows(path: Path) -> Iterator[dict[str, Any]]:
    from wherefrom.fingerprints.json_rows import read_json_rows

    return read_json_rows(path)


def _expect(proof: Proof, kind: str) -> None:
    other = [claim for claim in proof.claims if claim.kind != kind]
    if not other:
        return
    first = format_row(other[0].row)
    more = f", and {len(other) - 1} more" if len(other) > 1 else ""
    if kind == "present":
        raise MismatchError(f"not in {proof.about}: {first}{more}", hint="--absent proves that, --either both")
    raise MismatchError(f"in {proof.about}: {first}{more}", hint="without --absent that is proved, with --either both")


def _give(proof: Proof, output: Path | None, *, as_json: bool) -> None:
    data = format_proof(proof)
    if output is None:
        typer.echo(data.decode(), nl=False)
        return
    write_whole(output, data)
    present = sum(claim.kind == "present" for claim in proof.claims)
    counts = {"present": present, "absent": len(proof.claims) - present}
    if as_json:
        print_json({"proof": output, "bytes": len(data), "set": str(proof.about), **counts})
        return
    if proof.part is not None:
        what = f"all {proof.part.rows:,} rows of {proof.part}"
    else:
        what = ", ".join(f"{number:,} {kind}" for kind, number in counts.items() if number)
    typer.echo(f"wrote {output} ({len(data):,} bytes): {what}")
    typer.echo(f"in {proof.about}")
    typer.echo(f"verify it anywhere with: wherefrom verify {output}")


@app.command()
def diff(
    before: Annotated[str, typer.Argument(help="A table's path, a recorded name, or `wf-records-1:…`.")],
    after: Annotated[str, typer.Argument(help="The other.")],
    *,
    rows: Annotated[bool, typer.Option("--rows", help="Count and show the rows that differ.")] = False,
    key: Annotated[str | None, typer.Option(help="Columns that tell which row is which: id, or first,last.")] = None,
    samples: Annotated[int, typer.Option(min=0, help="How many rows of each kind to show.")] = 3,
    secret: SecretFile = None,
    private: Private = False,
    leaves: Leaves = None,
    as_json: AsJson = False,
) -> None:
    """Tell what differs between two tables. Exit status 1 when something does.

    Counts come from kept leaves; rows are shown, and told to have changed, where the tables can be read.
    Example: `wherefrom diff old.parquet new.parquet --rows --key customer_id`
    """
    opened = find_secret(secret, is_private=private)
    columns = Key.parse(key).columns if key else ()
    with contextlib.ExitStack() as stack:
        trees = [stack.enter_context(open_tree(what, leaves=leaves, secret=opened)) for what in (before, after)]
        found = _compare(trees, (before, after), rows=rows, key=columns, samples=samples, secret=opened)
    if as_json:
        print_json(found)
    else:
        _print_difference(found)
    if not found["same"]:
        raise typer.Exit(EXIT_FALSE)


def _compare(
    trees: list[KeptTree],
    sources: tuple[str, str],
    *,
    rows: bool,
    key: tuple[str, ...],
    samples: int,
    secret: Secret | None,
) -> dict[str, Any]:
    one, other = (tree.identity for tree in trees)
    if not isinstance(one, RecordsFingerprint) or not isinstance(other, RecordsFingerprint):
        raise FormatError("diff compares tables, not keys")
    names = [{column.name: str(column.type) for column in side.columns} for side in (one, other)]
    found: dict[str, Any] = {
        "before": {"id": str(one), "rows": one.rows},
        "after": {"id": str(other), "rows": other.rows},
        "same": one == other,
        "columnsRemoved": sorted(names[0].keys() - names[1].keys()),
        "columnsAdded": sorted(names[1].keys() - names[0].keys()),
        "typesChanged": {
            name: [names[0][name], names[1][name]]
            for name in sorted(names[0].keys() & names[1].keys())
            if names[0][name] != names[1][name]
        },
    }
    if rows and not found["same"] and names[0].keys() == names[1].keys():
        from wherefrom.fingerprints.compare import compare_rows

        readable = [what if is_readable(what) else None for what in sources]
        found |= compare_rows(*trees, sources=readable, key=key, samples=samples, secret=secret)
    return found


def _print_difference(found: dict[str, Any]) -> None:
    for side in ("before", "after"):
        typer.echo(f"{mark(f'{side:<7}', 'strong')} {found[side]['id']}  {found[side]['rows']:,} rows")
    if found["same"]:
        typer.echo(f"{mark('same', 'good')}    the same rows")
        return
    for what in ("columnsRemoved", "columnsAdded"):
        if found[what]:
            typer.echo(f"columns {what.removeprefix('columns').lower()}: {', '.join(found[what])}")
    for name, (one, other) in found["typesChanged"].items():
        typer.echo(f"column {name}: {one} became {other}")
    if "common" not in found:
        say("--rows counts the rows" if not found["columnsRemoved"] + found["columnsAdded"] else "all rows differ")
        return
    counts = [
        f"{found[kind]:,} {kind}" for kind in ("common", "removed", "added", "changed") if found[kind] is not None
    ]
    typer.echo(f"rows    {', '.join(counts)}")
    for sign, kind in (("-", "removedRows"), ("+", "addedRows")):
        for row in found[kind]:
            typer.echo(f"  {sign} {format_row(row)}")
    for old, new in found["changedRows"]:
        typer.echo(f"  ~ {format_row(old)}")
        typer.echo(f"    {format_row({name: value for name, value in new.items() if old.get(name) != value})}")
