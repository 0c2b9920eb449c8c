"""The graph around a node, of jobs and data sets, and of columns."""

import pytest
from marquez_world import (
    CLEAN,
    CUSTOMERS,
    EVENT,
    LAKE,
    PRODUCER,
    REPORTING,
    SHOP,
    TEAM,
    columns,
    dataset,
    facet,
    job,
    path,
    record,
    run_event,
)

ORDERS_ID, CUSTOMERS_ID = f"dataset:{LAKE}:landing/orders", f"dataset:{LAKE}:landing/customers"
CLEAN_ID, MODEL_ID = f"dataset:{SHOP}:public.orders", f"dataset:{TEAM}:eta model"
CLEANING_ID, TRAINING_ID, REPORTING_ID = "job:etl:clean.orders", "job:etl:train", "job:reports:daily report"
EDGES = {
    (ORDERS_ID, CLEANING_ID),
    (CUSTOMERS_ID, CLEANING_ID),
    (CLEANING_ID, CLEAN_ID),
    (CLEAN_ID, TRAINING_ID),
    (TRAINING_ID, MODEL_ID),
    (CLEAN_ID, REPORTING_ID),
}


def edges_of(graph):
    """All edges, after checking that each stands at both of its ends, and that there is nothing else."""
    nodes = {node["id"]: node for node in graph}
    out = {(edge["origin"], edge["destination"]) for node in graph for edge in node["outEdges"]}
    into = {(edge["origin"], edge["destination"]) for node in graph for edge in node["inEdges"]}
    assert out == into
    assert {end for edge in out for end in edge} <= nodes.keys()
    assert [node["id"] for node in graph] == sorted(nodes)
    return out


@pytest.mark.parametrize("node", [CLEANING_ID, TRAINING_ID, CLEAN_ID, MODEL_ID, ORDERS_ID])
def test_the_whole_graph_is_found_from_any_of_its_nodes(world, node):
    graph = world(path("lineage"), nodeId=node)["graph"]
    assert edges_of(graph) == EDGES
    assert {node["type"] for node in graph} == {"JOB", "DATASET"}


@pytest.mark.parametrize(
    ("node", "depth", "jobs"),
    [
        (CLEANING_ID, 0, {CLEANING_ID}),
        (CLEANING_ID, 1, {CLEANING_ID, TRAINING_ID, REPORTING_ID}),
        (MODEL_ID, 0, {TRAINING_ID}),
        (MODEL_ID, 1, {CLEANING_ID, TRAINING_ID, REPORTING_ID}),
    ],
)
def test_depth_counts_steps_from_job_to_job(world, node, depth, jobs):
    graph = world(path("lineage"), nodeId=node, depth=depth)["graph"]
    assert {one["id"] for one in graph if one["type"] == "JOB"} == jobs
    assert edges_of(graph) == {edge for edge in EDGES if jobs & set(edge)}


def test_nodes_carry_what_pages_show_of_them(world):
    data = {node["id"]: node["data"] for node in world(path("lineage"), nodeId=CLEAN_ID)["graph"]}
    assert [field["name"] for field in data[CLEAN_ID]["fields"]] == ["id", "total"]
    assert data[CLEAN_ID]["tags"] == ["gold"]
    assert (data[REPORTING_ID]["latestRun"]["state"], data[TRAINING_ID]["latestRun"]["state"]) == ("FAILED", "RUNNING")
    assert data[CLEANING_ID]["inputs"] == [
        {"namespace": LAKE, "name": "landing/customers"},
        {"namespace": LAKE, "name": "landing/orders"},
    ]
    assert data[CLEANING_ID]["id"] == {"namespace": "etl", "name": "clean.orders"}


def test_an_event_is_in_the_next_answer(archive, changing):
    assert REPORTING_ID in str(changing(path("lineage"), nodeId=CLEAN_ID))
    record(archive, run_event("COMPLETE", 9, 200, REPORTING, [CUSTOMERS]))
    graph = changing(path("lineage"), nodeId=CLEAN_ID, depth=0)["graph"]
    assert REPORTING_ID not in {node["id"] for node in graph}
    assert (CUSTOMERS_ID, REPORTING_ID) in edges_of(changing(path("lineage"), nodeId=CLEAN_ID)["graph"])


def test_a_node_without_lineage_is_a_graph_of_its_own(archive, changing):
    event = {"eventTime": "2026-11-20T08:00:00Z", "producer": PRODUCER, "schemaURL": f"{EVENT}DatasetEvent"}
    record(archive, event | {"dataset": {"namespace": "alone", "name": "here"}})
    record(archive, run_event("START", 9, 0, job("alone", "job")))
    for node in ("dataset:alone:here", "job:alone:job"):
        [only] = changing(path("lineage"), nodeId=node)["graph"]
        assert (only["id"], only["inEdges"], only["outEdges"]) == (node, [], [])


def test_other_names_of_a_data_set_are_shown_as_the_one_that_was_asked_about(archive, changing):
    """A symlink says that the reporting read the clean orders under another name."""
    link = facet(identifiers=[{"namespace": SHOP, "name": "public.orders", "type": "TABLE"}])
    other = dataset("hive://here", "orders", symlinks=link)
    record(archive, run_event("COMPLETE", 9, 200, job("etl", "later"), [other]))
    for asked, not_shown in ((CLEAN_ID, "dataset:hive://here:orders"), ("dataset:hive://here:orders", CLEAN_ID)):
        found = edges_of(changing(path("lineage"), nodeId=asked, depth=1)["graph"])
        assert {(CLEANING_ID, asked), (asked, "job:etl:later"), (asked, TRAINING_ID)} <= found
        assert not_shown not in str(found)


def test_spellings_of_a_name_are_one_data_set(archive, changing):
    spelled = dataset("s3a://lake", "landing/orders/", schema=facet(fields=[]))
    record(archive, run_event("COMPLETE", 9, 200, job("etl", "later"), [spelled]))
    assert (ORDERS_ID, "job:etl:later") in edges_of(changing(path("lineage"), nodeId=ORDERS_ID)["graph"])
    assert changing(path("namespaces", "s3a://lake", "datasets", "landing/orders/"))["name"] == "landing/orders"
    assert "s3a" not in str(changing(path("namespaces", LAKE, "datasets")))


@pytest.mark.parametrize("node", ["dataset:nowhere:x", "job:etl:nothing", "run:870492da-ecfb-4be0-91b9-9a89ddd3db90"])
def test_an_unknown_node_is_not_found(world, node):
    assert world.client.get(path("lineage"), params={"nodeId": node}).status_code == 404


@pytest.mark.parametrize("node", ["", "dataset", "table:a:b"])
def test_what_is_no_node_id_is_refused(world, node):
    assert world.client.get(path("lineage"), params={"nodeId": node}).status_code == 400
    assert world.client.get(path("column-lineage"), params={"nodeId": node}).status_code == 400


# --- columns ---------------------------------------------------------------------------------------------------------

ID, TOTAL = (f"datasetField:{SHOP}:public.orders:{name}" for name in ("id", "total"))
RAW_ID, AMOUNT = (f"datasetField:{LAKE}:landing/orders:{name}" for name in ("id", "amount"))
WEIGHTS = f"datasetField:{TEAM}:eta model:weights"


def column_edges(graph):
    """Pairs of a column and one that it was made from; the edges of a node name the other column as destination."""
    into = {(node["id"], edge["destination"]) for node in graph for edge in node["inEdges"]}
    assert into == {(edge["destination"], node["id"]) for node in graph for edge in node["outEdges"]}
    assert all(edge["origin"] == node["id"] for node in graph for edge in (*node["inEdges"], *node["outEdges"]))
    return into


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"nodeId": WEIGHTS}, {(WEIGHTS, TOTAL), (TOTAL, AMOUNT)}),
        ({"nodeId": WEIGHTS, "depth": 1}, {(WEIGHTS, TOTAL)}),
        ({"nodeId": WEIGHTS, "depth": 0}, set()),
        ({"nodeId": CLEAN_ID}, {(TOTAL, AMOUNT), (ID, RAW_ID)}),
        ({"nodeId": CLEAN_ID, "withDownstream": "true"}, {(WEIGHTS, TOTAL), (TOTAL, AMOUNT), (ID, RAW_ID)}),
        ({"nodeId": AMOUNT, "withDownstream": "True"}, {(WEIGHTS, TOTAL), (TOTAL, AMOUNT)}),
        ({"nodeId": AMOUNT}, set()),
        ({"nodeId": CLEANING_ID}, {(TOTAL, AMOUNT), (ID, RAW_ID)}),
    ],
)
def test_columns_lead_to_those_they_were_made_from(world, query, expected):
    assert column_edges(world(path("column-lineage"), **query)["graph"]) == expected


def test_a_column_is_given_as_marquez_gives_it(world):
    graph = world(path("column-lineage"), nodeId=TOTAL)["graph"]
    assert {node["id"]: node for node in graph}[TOTAL] == {
        "id": TOTAL,
        "type": "DATASET_FIELD",
        "data": {
            "namespace": SHOP,
            "dataset": "public.orders",
            "datasetVersion": None,
            "field": "total",
            "fieldType": "INTEGER",
            "transformationDescription": None,
            "transformationType": "DIRECT:IDENTITY",
            "inputFields": [
                {
                    "namespace": LAKE,
                    "dataset": "landing/orders",
                    "datasetVersion": None,
                    "field": "amount",
                    "transformationDescription": None,
                    "transformationType": "DIRECT:IDENTITY",
                }
            ],
        },
        "inEdges": [{"origin": TOTAL, "destination": AMOUNT}],
        "outEdges": [],
    }


def test_columns_are_given_as_they_were_when_a_version_was_written(archive, changing):
    versions = path("namespaces", SHOP, "datasets", "public.orders", "versions")
    before = changing(versions)["versions"][0]["version"]
    later = dataset(SHOP, "public.orders", columnLineage=columns(total=(LAKE, "landing/orders", "price")))
    record(archive, run_event("COMPLETE", 9, 200, job("etl", "clean.orders"), [CUSTOMERS], [later]))
    price = f"datasetField:{LAKE}:landing/orders:price"
    assert column_edges(changing(path("column-lineage"), nodeId=TOTAL)["graph"]) == {(TOTAL, price)}
    old = changing(path("column-lineage"), nodeId=f"{TOTAL}#{before}")["graph"]
    assert {node["data"]["field"] for node in old} == {"total", "amount"}
    assert f"{TOTAL}#{before}" in {node["id"] for node in old}
    both = {"nodeId": f"{TOTAL}#{before}", "withDownstream": "true"}
    assert changing.client.get(path("column-lineage"), params=both).status_code == 400


def test_columns_of_what_is_not_there_are_not_found(world):
    for node in ("dataset:nowhere:x", "datasetField:nowhere:x:y", f"{CLEAN_ID}#870492da-ecfb-4be0-91b9-9a89ddd3db90"):
        assert world.client.get(path("column-lineage"), params={"nodeId": node}).status_code == 404
    assert CLEAN["name"] in str(world(path("column-lineage"), nodeId=CLEAN_ID))
