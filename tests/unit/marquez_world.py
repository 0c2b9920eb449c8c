"""A small world for the tests of Marquez's API: orders and customers, cleaned, joined, and a model trained on them."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from wherefrom.archive.taking import take_events

BEGIN = datetime(2026, 11, 20, 8, tzinfo=UTC)
LAKE, SHOP, TEAM = "s3://lake", "postgres://db.example:5432", "ml/team:a"
PRODUCER = "https://producer.example/etl"
EVENT = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"


def facet(**members):
    return {"_producer": PRODUCER, "_schemaURL": "https://openlineage.io/spec/facets/1-0-0/Facet.json", **members}


def schema(*names, kind="INTEGER"):
    return facet(fields=[{"name": name, "type": kind} for name in names])


def columns(**sources):
    """`columns(total=("s3://lake", "orders", "amount"))`: a columnLineage facet."""
    change = [{"type": "DIRECT", "subtype": "IDENTITY", "description": "as it is", "masking": False}]
    return facet(
        fields={
            name: {"inputFields": [{"namespace": ns, "name": dataset, "field": field, "transformations": change}]}
            for name, (ns, dataset, field) in sources.items()
        }
    )


def dataset(namespace, name, **facets):
    return {"namespace": namespace, "name": name, "facets": facets}


ORDERS = dataset(LAKE, "landing/orders", schema=schema("id", "amount"))
CUSTOMERS = dataset(LAKE, "landing/customers", schema=schema("id", "email"))
CLEAN = dataset(
    SHOP,
    "public.orders",
    schema=schema("id", "total"),
    columnLineage=columns(id=(LAKE, "landing/orders", "id"), total=(LAKE, "landing/orders", "amount")),
    documentation=facet(description="All orders"),
    tags=facet(
        tags=[
            {"key": "gold", "value": "true", "source": "team"},
            {"key": "pii", "value": "low", "source": "team", "field": "id"},
        ]
    ),
)
MODEL = dataset(TEAM, "eta model", columnLineage=columns(weights=(SHOP, "public.orders", "total")))


def job(namespace, name, **facets):
    return {"namespace": namespace, "name": name, "facets": facets}


CLEANING = job(
    "etl",
    "clean.orders",
    sql=facet(query="SELECT 1"),
    documentation=facet(description="Cleans orders"),
    sourceCodeLocation=facet(type="git", url="https://git.example/etl"),
)
TRAINING = job("etl", "train")
REPORTING = job("reports", "daily report")


def run_id(number):
    return str(uuid.UUID(int=0xABC0000 + number))


def run_event(kind, number, minutes, of, inputs=(), outputs=(), **facets):
    """An event `kind` of run `number`, so many minutes after the beginning."""
    return {
        "eventType": kind,
        "eventTime": (BEGIN + timedelta(minutes=minutes)).isoformat(),
        "producer": PRODUCER,
        "schemaURL": f"{EVENT}RunEvent",
        "run": {"runId": run_id(number), "facets": facets},
        "job": of,
        "inputs": list(inputs),
        "outputs": list(outputs),
    }


def all_events():
    """Two runs of the cleaning, one of the training, one of a report that failed, and one that goes on."""
    nominal = facet(nominalStartTime="2026-11-20T08:00:00Z")
    return [
        run_event("START", 1, 0, CLEANING, [ORDERS], nominalTime=nominal),
        run_event("COMPLETE", 1, 5, CLEANING, [ORDERS], [CLEAN], nominalTime=nominal),
        run_event("START", 2, 10, TRAINING, [CLEAN]),
        run_event("COMPLETE", 2, 20, TRAINING, [CLEAN], [MODEL]),
        run_event("START", 3, 60, CLEANING, [ORDERS, CUSTOMERS]),
        run_event("COMPLETE", 3, 64, CLEANING, [ORDERS, CUSTOMERS], [CLEAN]),
        run_event("START", 4, 70, REPORTING, [CLEAN]),
        run_event("FAIL", 4, 71, REPORTING, [CLEAN]),
        run_event("START", 5, 80, TRAINING, [CLEAN]),
    ]


def record(archive, *events):
    """Record events given as JSON values, or as the bytes to keep; fails when one is not taken."""
    bodies = [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events]
    for taken in take_events(archive, bodies):
        assert taken.error is None, taken


def path(*parts):
    """`path("namespaces", LAKE, "datasets")`: under `/api/v1`, each part encoded as Marquez's clients do."""
    return "/api/v1/" + "/".join(quote(part, safe="") for part in parts)
