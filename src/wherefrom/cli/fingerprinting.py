"""`fingerprint`: what data is, as a digest of its rows or bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from wherefrom.cli.app import app
from wherefrom.cli.files import write_whole
from wherefrom.cli.output import mark, print_json, progress
from wherefrom.cli.recording import AsJson
from wherefrom.cli.records import Leaves
from wherefrom.cli.sets import Private, SecretFile, cache_of, find_secret, is_remote, kept_trees, parse_size
from wherefrom.errors import NotFoundError
from wherefrom.fingerprints import Key, fingerprint_files, fingerprint_with_keys, table_format

_KEEP_AT_MOST = 2**30
_EVERYTHING = 2**63


@app.command()
def fingerprint(
    paths: Annotated[list[str], typer.Argument(help="Files, folders, or URLs of tables.")],
    *,
    bytes_only: Annotated[bool, typer.Option("--files", help="Of the bytes only, not of a table's rows.")] = False,
    rows: Annotated[bool, typer.Option("--rows", help="Of a folder's files as parts of one table, too.")] = False,
    keys: Annotated[
        list[str] | None,
        typer.Option("--key", help="Also commit to the keys in COLUMN, or A,B, or FORM:COLUMN (text, url, document)."),
    ] = None,
    sequence: Annotated[bool, typer.Option("--sequence", help="The order of the rows counts, too.")] = False,
    secret: SecretFile = None,
    private: Private = False,
    memory: Annotated[str, typer.Option(help="How much to use, about; beyond it leaves are sorted on disk.")] = "1GiB",
    keep: Annotated[
        bool | None,
        typer.Option("--keep/--no-keep", help="Keep the leaves, for proofs; by default up to 1 GiB."),
    ] = None,
    leaves: Leaves = None,
    manifest: Annotated[
        Path | None, typer.Option(help="Write the statement of a folder that OpenSSF Model Signing signs.")
    ] = None,
    cache: Annotated[bool, typer.Option("--cache/--no-cache", help="Trust a stat of files seen before.")] = True,
    as_json: AsJson = False,
) -> None:
    """Fingerprint files, folders and tables: the same rows give the same `wf-records-1` in any format and order.

    Example: `wherefrom fingerprint data/flights.parquet --key customer_id` · `wherefrom fingerprint --files models/` ·
    `wherefrom fingerprint s3://bucket/train/ --memory 4GiB`
    """
    if manifest:
        _write_manifest(manifest, paths, use_cache=cache)
    options = {
        "keys": [Key.parse(key) for key in keys or []],
        "order": "sequence" if sequence else "sorted",
        "secret": find_secret(secret, is_private=private),
        "memory_bytes": parse_size(memory),
        "keep": kept_trees(leaves) if keep is not False else None,
        "keep_at_most": _EVERYTHING if keep else _KEEP_AT_MOST,
        "read_all": not cache,
    }
    results = []
    for path in paths:
        result = _bytes_of(path, use_cache=cache)
        if not bytes_only and (rows or is_remote(path) or table_format(path) or Path(path, "_delta_log").is_dir()):
            result |= _rows_of(path, result["digests"], options)
        results.append(result)
        if not as_json:
            _print(result)
    if as_json:
        print_json(results)


def _write_manifest(manifest: Path, paths: list[str], *, use_cache: bool) -> None:
    from wherefrom.fingerprints.oms import read_manifest

    if len(paths) != 1:
        raise typer.BadParameter("--manifest is of one folder")
    statement = read_manifest(paths[0], cache=cache_of() if use_cache else None)
    write_whole(manifest, json.dumps(statement, separators=(",", ":")).encode())


def _bytes_of(path: str, *, use_cache: bool) -> dict[str, Any]:
    if is_remote(path):  # only its rows are read
        return {"path": path, "digests": {}}
    if not Path(path).exists():
        raise NotFoundError(f"no file {path}")
    with progress(f"reading {path}", "bytes") as bar:
        files = fingerprint_files(path, cache=cache_of() if use_cache else None, progress=bar)
    digests = {"sha256": files.sha256} if files.sha256 else dict([files.digest])
    return {"path": path, "digests": digests, "files": files.count, "totalBytes": files.total_bytes}


def _rows_of(path: str, digests: dict[str, str], options: dict[str, Any]) -> dict[str, Any]:
    with progress(f"fingerprinting {path}", "rows") as bar:
        records, commitments = fingerprint_with_keys(path, progress=bar, **options)
    result: dict[str, Any] = {
        "digests": {**digests, **dict([records.digest])},
        "rows": records.rows,
        "columns": records.to_json()["columns"],
        "identity": records.to_json(),
    }
    if records.read_options:
        result["readOptions"] = records.read_options
    if records.left_out:
        result["leftOut"] = records.left_out
    if commitments:
        result["keys"] = [{"id": str(key), **key.to_json()} for key in commitments]
    return result


def _print(result: dict[str, Any]) -> None:
    typer.echo(mark(result["path"], "strong"))
    for name, value in result["digests"].items():
        typer.echo(f"  {name}:{value}")
    if "rows" in result:
        identity = result["identity"]
        how = [identity["order"]] if identity["order"] != "sorted" else []
        how += ["private"] if identity["salt"] != "none" else []
        kind = f" ({', '.join(how)})" if how else ""
        typer.echo(f"  {result['rows']:,} rows, {len(result['columns'])} columns{kind}")
    elif result.get("files", 1) != 1:
        typer.echo(f"  {result['files']:,} files, {result['totalBytes']:,} bytes")
    for key in result.get("keys", []):
        names = ",".join(column["name"] for column in key["columns"])
        form = "" if key["form"] == "exact" else f"{key['form']}:"
        typer.echo(f"  keys {form}{names}: {key['keys']:,} different, {key['id']}")
