"""Facets as OpenLineage wants them: our own and the standard ones we use. Spec: docs/spec/openlineage-facets.md."""

from __future__ import annotations

from typing import Any

from wherefrom import __version__

PRODUCER = f"https://w3id.org/wherefrom/{__version__}"
EVENT_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"

_STANDARD = {
    "processing_engine": "1-1-1/ProcessingEngineRunFacet",
    "executionParameters": "1-0-0/ExecutionParametersRunFacet",
    "errorMessage": "1-0-1/ErrorMessageRunFacet",
    "parent": "1-2-0/ParentRunFacet",
    "sourceCodeLocation": "1-1-0/SourceCodeLocationJobFacet",
    "jobType": "2-0-4/JobTypeJobFacet",
    "schema": "1-2-0/SchemaDatasetFacet",
    "inputStatistics": "1-0-0/InputStatisticsInputDatasetFacet",
    "outputStatistics": "1-0-2/OutputStatisticsOutputDatasetFacet",
}
OWN = "https://w3id.org/wherefrom/facets/1-0-0/"

_MAX_SAFE = 2**53 - 1


def make_facet(facet: str, /, **members: Any) -> dict[str, Any]:
    """A facet with its producer and schema, and its members in a form that canonical JSON can carry."""
    if facet in _STANDARD:
        file = _STANDARD[facet]
        schema = f"https://openlineage.io/spec/facets/{file}.json#/$defs/{file.partition('/')[2]}"
    else:
        schema = f"{OWN}{facet}.json"
    return {"_producer": PRODUCER, "_schemaURL": schema, **clean(members)}


def clean(value: Any) -> Any:
    """The value as RFC 8785 takes it: no NaN, no integers that a double loses, no text that is no Unicode."""
    match value:
        case bool() | None:
            return value
        case str():
            return value.encode("utf-8", "backslashreplace").decode("utf-8")
        case int():
            return value if -_MAX_SAFE <= value <= _MAX_SAFE else str(value)
        case float():
            return value if abs(value) < float("inf") else str(value)
        case dict():
            return {clean(str(key)): clean(item) for key, item in value.items()}
        case list() | tuple():
            return [clean(item) for item in value]
        case _:
            return clean(str(value))
