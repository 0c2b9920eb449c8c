"""Holding an event against the JSON Schemas that OpenLineage publishes, which the package carries: strict intake.

The files in `openlineage/` are those at https://openlineage.io/spec/, unchanged, under the paths that their `$id`s
name; nothing is fetched. An event is held against the version of the core schema that its `schemaURL` names, or the
newest. What a facet is, its name says: a standard one must fit the version that its `_schemaURL` names, or the newest;
one of others needs a producer and a schema's URL and nothing else.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from wherefrom.errors import UnavailableError
from wherefrom.statements import Problem, Problems

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

_BASE = "https://openlineage.io/spec/"
_NEWEST_CORE = "2-0-2/OpenLineage.json"
_FACETS = ("facets", "inputFacets", "outputFacets")
# The ends of schemas' names, by where their facets stand; the first that fits says it.
_PLACES = {
    "InputDatasetFacet": "inputFacets",
    "OutputDatasetFacet": "outputFacets",
    "DatasetFacet": "facets",
    "JobFacet": "job",
    "RunFacet": "run",
}


def list_departures(event: Mapping[str, Any], kind: str) -> tuple[Problem, ...]:
    """Where an event departs from the schemas: the core one, and those of its facets.

    Raises UnavailableError when the extra `server`, which has the validator, is missing.
    """
    problems = Problems()
    path, _ = _split(event.get("schemaURL"))
    core = _validator(path if _has_definition(path, kind) else _NEWEST_CORE, kind)
    for error in core.iter_errors(dict(event)):
        if not (error.instance_path and error.instance_path[-1] in _FACETS):  # some facet is wrong: which, is below
            _add(problems, error, "$")
    for place, name, facet, at in _iter_facets(event):
        if facet.get("_deleted") is True:
            continue
        wrong = [list(_validator(*schema).iter_errors(facet)) for schema in _schemas_of(place, name, facet)]
        for error in wrong[0] if all(wrong) else ():
            _add(problems, error, at)
    unique = {(one.path, one.message): one for one in problems.found}
    return tuple(unique.values())


def _iter_facets(event: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any], str]]:
    """Where each facet stands, its name, itself, and its path."""
    owners: list[tuple[str, Any, str, str]] = [
        ("run", event.get("run"), "$.run", "facets"),
        ("job", event.get("job"), "$.job", "facets"),
        ("facets", event.get("dataset"), "$.dataset", "facets"),
    ]
    for key, role in (("inputs", "inputFacets"), ("outputs", "outputFacets")):
        listed = event.get(key)
        for position, dataset in enumerate(listed if isinstance(listed, list) else ()):
            owners.append(("facets", dataset, f"$.{key}[{position}]", "facets"))
            owners.append((role, dataset, f"$.{key}[{position}]", role))
    for place, owner, path, key in owners:
        facets = owner.get(key) if isinstance(owner, dict) else None
        for name, facet in facets.items() if isinstance(facets, dict) else ():
            if isinstance(facet, dict):
                yield place, name, facet, f"{path}.{key}.{name}"


def _schemas_of(place: str, name: str, facet: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Files and definitions of which a facet must fit one."""
    path, definition = _split(facet.get("_schemaURL"))
    definition = definition or path.rpartition("/")[2].removesuffix(".json")
    newest = _newest_facets().get((place, name))
    if definition == "LineageFacet" and newest:
        definition = newest[1]
    is_published = path.startswith("facets/") and _has_definition(path, definition)
    if newest is None:
        return [(path, definition) if is_published else (_NEWEST_CORE, "BaseFacet")]
    if is_published and definition == newest[1] and path != newest[0]:
        return [(path, definition), newest]
    return [newest]


def _split(url: object) -> tuple[str, str]:
    """Path below the base, and the name of the definition; "" and "" when it is none of these."""
    if not isinstance(url, str) or not url.startswith(_BASE):
        return "", ""
    path, _, fragment = url.removeprefix(_BASE).partition("#")
    return path, fragment.rpartition("/")[2]


@functools.cache
def _schemas() -> dict[str, dict[str, Any]]:
    """Every schema, by its path below the base."""
    found: dict[str, dict[str, Any]] = {}
    waiting = [("", files("wherefrom.archive") / "openlineage")]
    while waiting:
        prefix, folder = waiting.pop()
        for item in sorted(folder.iterdir(), key=lambda item: item.name):
            if item.is_dir():
                waiting.append((f"{prefix}{item.name}/", item))
            elif item.name.endswith(".json"):
                found[prefix + item.name] = json.loads(item.read_text(encoding="utf-8"))
    return found


def _has_definition(path: str, name: str) -> bool:
    return name in _schemas().get(path, {}).get("$defs", {})


@functools.cache
def _newest_facets() -> dict[tuple[str, str], tuple[str, str]]:
    """Place and name of each standard facet, to the file and definition of its newest version."""
    newest: dict[str, tuple[tuple[int, ...], str]] = {}
    for path in _schemas():
        if path.startswith("facets/"):
            _, version, name = path.split("/")
            rank = (tuple(map(int, version.split("-"))), path)
            newest[name] = max(rank, newest.get(name, rank))
    found = {}
    for _, path in newest.values():
        name = path.rpartition("/")[2].removesuffix(".json")
        place = next((place for ending, place in _PLACES.items() if name.endswith(ending)), None)
        for key, schema in _schemas()[path].get("properties", {}).items():
            if place and _has_definition(path, name) and "$ref" in schema and name != "BaseSubsetDatasetFacet":
                found[place, key] = (path, name)
    found["job", "lineage"] = (newest["LineageFacet.json"][1], "LineageJobFacet")
    found["facets", "lineage"] = (newest["LineageFacet.json"][1], "LineageDatasetFacet")
    return found


@functools.cache
def _validator(path: str, definition: str) -> Validator:
    try:
        import jsonschema_rs
    except ModuleNotFoundError as error:
        raise UnavailableError("strict intake needs an extra: pip install 'wherefrom[server]'") from error

    def retrieve(url: str) -> dict[str, Any]:
        # Older core schemas name facets at places where none were published, as alternatives to the plain one.
        return _schemas().get(_split(url)[0], {"not": {}})

    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$ref": f"{_BASE}{path}#/$defs/{definition}"}
    return jsonschema_rs.validator_for(schema, validate_formats=True, retriever=retrieve)


def _add(problems: Problems, error: ValidationError, base: str) -> None:
    way = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
    problems.add(base + way, error.message)
