"""OpenLineage events as producers send them: bytes, with everything the schema requires."""

import json
import uuid

PRODUCER = "https://example.com/producer/1.0"
SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/"


def run_event(number=0, *, namespace="test", job="job", inputs=("in",), outputs=("out",), kind="COMPLETE", **more):
    """A RunEvent; data sets are names in `namespace`, or pairs (namespace, name)."""

    def named(one):
        space, name = one if isinstance(one, tuple) else (namespace, one)
        return {"namespace": space, "name": name}

    return {
        "eventType": kind,
        "eventTime": f"2026-11-21T08:{number // 60 % 60:02d}:{number % 60:02d}Z",
        "producer": PRODUCER,
        "schemaURL": SCHEMA + "RunEvent",
        "run": {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{namespace}/{job}/{number}"))},
        "job": {"namespace": namespace, "name": job},
        "inputs": [named(one) for one in inputs],
        "outputs": [named(one) for one in outputs],
        **more,
    }


def dataset_event(name="table", *, namespace="test"):
    dataset = {"namespace": namespace, "name": name}
    return {"eventTime": "2026-11-21T08:00:00Z", "producer": PRODUCER, "schemaURL": SCHEMA + "DatasetEvent"} | {
        "dataset": dataset
    }


def job_event(name="job", *, namespace="test", inputs=("in",)):
    job = {"namespace": namespace, "name": name}
    said = {"eventTime": "2026-11-21T08:00:00Z", "producer": PRODUCER, "schemaURL": SCHEMA + "JobEvent"}
    return said | {"job": job, "inputs": [{"namespace": namespace, "name": one} for one in inputs]}


def body_of(event):
    """Bytes that no canonical form gives back: spaces, an order of its own, an escape where none is needed."""
    return json.dumps(event, indent=1).replace("https", "\\u0068ttps", 1).encode()
