"""What events say about a data set, a job or a run, put together: later events win, facet by facet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from wherefrom.server.marquez.reading import Reader, get, get_list, get_text

Facets = dict[str, Any]


def add_facets(to: Facets, more: Any, reader: Reader) -> None:
    """Put facets over those there; one that names a namespace which the caller does not see is left out."""
    if not isinstance(more, Mapping):
        return
    for name, facet in more.items():
        if get(facet, "_deleted") is True:
            to.pop(name, None)
        elif facet is not None and reader.names_only_seen(facet):
            to[name] = facet


def iter_mentions(reader: Reader, event: int, entity: int, *roles: str) -> Iterator[Mapping[str, Any]]:
    """What an event says of a data set, under any spelling, among its `inputs`, its `outputs` or as its `dataset`."""
    said = reader.event(event)
    for role in roles:
        for one in [said.get(role)] if role == "dataset" else get_list(said, role):
            namespace, name = get_text(one, "namespace"), get_text(one, "name")
            if (
                isinstance(one, Mapping)
                and namespace is not None
                and name is not None
                and reader.number_of(namespace, name) == entity
            ):
                yield one


def facets_of_dataset(reader: Reader, entity: int, written: Iterable[int], read: Iterable[int] = ()) -> Facets:
    """The facets of a data set: what those who wrote it said goes before what its readers said."""
    facets: Facets = {}
    for event in reader.in_time(read):
        for one in iter_mentions(reader, event, entity, "inputs"):
            add_facets(facets, one.get("facets"), reader)
            add_facets(facets, one.get("inputFacets"), reader)
    for event in reader.in_time(written):
        for one in iter_mentions(reader, event, entity, "outputs", "dataset"):
            add_facets(facets, one.get("facets"), reader)
    return facets


def facets_of_run(reader: Reader, events: Iterable[int]) -> Facets:
    facets: Facets = {}
    for event in reader.in_time(events):
        add_facets(facets, get(reader.event(event), "run", "facets"), reader)
    return facets


def facets_of_job(reader: Reader, events: Iterable[int]) -> Facets:
    facets: Facets = {}
    for event in reader.in_time(events):
        add_facets(facets, get(reader.event(event), "job", "facets"), reader)
    return facets


def tags_in(facets: Mapping[str, Any], field: str | None = None) -> list[str]:
    """Names of the tags in a `tags` facet, of one field or, with None, of the whole: `key`, or `key:value`."""
    names = []
    for tag in get_list(facets, "tags", "tags"):
        key, value = get_text(tag, "key"), get(tag, "value")
        if key and (get_text(tag, "field") or None) == field:
            names.append(key if value in (None, "", "true", True) else f"{key}:{value}")
    return sorted(set(names))


def fields_in(facets: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The columns in a `schema` facet."""
    return [
        {
            "name": name,
            "type": get_text(field, "type"),
            "tags": tags_in(facets, name),
            "description": get_text(field, "description"),
        }
        for field in get_list(facets, "schema", "fields")
        if (name := get_text(field, "name"))
    ]


def column_lineage_in(facets: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The columns in a `columnLineage` facet, as Marquez lists them; None without one."""
    fields = get(facets, "columnLineage", "fields")
    if not isinstance(fields, Mapping):
        return None
    found = []
    for name, said in fields.items():
        inputs = []
        for one in get_list(said, "inputFields"):
            change = next(iter(get_list(one, "transformations")), None)
            kinds = [get_text(change, "type"), get_text(change, "subtype")]
            inputs.append(
                {
                    "namespace": get_text(one, "namespace"),
                    "dataset": get_text(one, "name"),
                    "field": get_text(one, "field"),
                    "transformationDescription": get_text(change, "description")
                    or get_text(said, "transformationDescription"),
                    "transformationType": ":".join(filter(None, kinds)) or get_text(said, "transformationType"),
                }
            )
        first = inputs[0] if inputs else {}
        found.append(
            {
                "name": name,
                "inputFields": inputs,
                "transformationDescription": first.get("transformationDescription"),
                "transformationType": first.get("transformationType"),
            }
        )
    return found


def link_in(facets: Mapping[str, Any]) -> str | None:
    """Where the code of a job is; only what a page can link to without running it."""
    url = get_text(facets, "sourceCodeLocation", "url")
    return url if url and url.lower().startswith(("https://", "http://")) else None
