"""Questions over HTTP: lineage, impact, paths, differences, search, entities and runs, and who sees what of them."""

import json

import pytest
from events import FACET, run_id

from wherefrom.merkle import hash_leaf, verify_inclusion
from wherefrom.statements import make_event_statement

SALES, FINANCE = "warehouse://sales", "s3://finance"


def said(job, inputs=(), outputs=(), *, space=SALES, kind="COMPLETE", at="2026-11-21T08:00:00Z", run=None, **facets):
    """An event; data sets as `name` of the job's namespace, or `(namespace, name)`, or with facets after these."""

    def dataset(one):
        namespace, name, *more = one if isinstance(one, tuple) else (space, one)
        return {"namespace": namespace, "name": name, **({"facets": more[0]} if more else {})}

    return make_event_statement(
        {
            "eventType": kind,
            "eventTime": at,
            "producer": FACET["_producer"],
            "schemaURL": FACET["_schemaURL"],
            "run": {"runId": run_id(run or f"{job} {at}")},
            "job": {"namespace": space, "name": job, **({"facets": facets} if facets else {})},
            "inputs": [dataset(one) for one in inputs],
            "outputs": [dataset(one) for one in outputs],
        }
    )


def columns(*fields):
    """A columnLineage facet from (output field, input data set, input field, type)."""
    made = {}
    for target, source, field, kind in fields:
        from_ = {"namespace": SALES, "name": source, "field": field, "transformations": [{"type": kind}]}
        made.setdefault(target, {"inputFields": []})["inputFields"].append(from_)
    return {"columnLineage": {**FACET, "fields": made}}


def id_of(name, space=SALES, type_="dataset"):
    return f"{type_}:{space}:{name}"


@pytest.fixture
def chain(archive):
    """orders, customers -> join -> joined -> report -> totals -> (of finance) close -> ledger."""
    archive.record(
        said("join", ["orders", "customers"], ["joined"], at="2026-11-01T08:00:00Z"),
        said("report", ["joined"], ["totals"], at="2026-11-02T08:00:00Z"),
        said("close", [(SALES, "totals")], ["ledger"], space=FINANCE, at="2026-11-03T08:00:00Z"),
    )
    return archive


def ask(client, path, **query):
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(answer):
    return {node["id"] for node in answer["nodes"]}


def test_lineage_goes_up_and_down_and_says_what_it_rests_on(chain, client):
    answer = ask(client, "/v1/lineage", node=id_of("joined"))
    assert ids(answer) == {
        *map(id_of, ("orders", "customers", "joined", "totals")),
        id_of("ledger", FINANCE),
        *(id_of(name, type_="job") for name in ("join", "report")),
        id_of("close", FINANCE, "job"),
    }
    assert answer["complete"] and answer["truncated"] is None and answer["pending"] == 0
    checkpoint = ask(client, "/v1/lineage", node=id_of("joined"))["checkpoint"]
    assert checkpoint["size"] == chain.size() and answer["asOf"] == chain.size() - 1
    up = ask(client, "/v1/lineage", node=id_of("joined"), direction="up")
    assert ids(up) == {*map(id_of, ("orders", "customers", "joined")), id_of("join", type_="job")}
    edge = next(edge for edge in up["edges"] if edge["from"] == id_of("orders"))
    assert (edge["to"], edge["basis"], edge["how"]) == (id_of("join", type_="job"), "io", "declared")
    assert edge["validFrom"] == "2026-11-01T08:00:00.000000Z"
    distances = {node["id"]: node["distance"] for node in answer["nodes"]}
    assert (distances[id_of("joined")], distances[id_of("totals")], distances[id_of("ledger", FINANCE)]) == (0, 1, 2)


def test_what_is_left_out_is_said(chain, client):
    short = ask(client, "/v1/lineage", node=id_of("joined"), direction="down", depth=1)
    assert (short["complete"], short["truncated"]) == (False, "depth") and id_of("ledger", FINANCE) not in ids(short)
    small = ask(client, "/v1/lineage", node=id_of("joined"), maxNodes=3)
    assert (small["complete"], small["truncated"], len(small["nodes"])) == (False, "maxNodes", 3)
    shown = ids(small)
    assert all(edge["from"] in shown and edge["to"] in shown for edge in small["edges"])


def test_an_event_is_in_the_next_answer_and_not_in_one_as_of_before(chain, client):
    before = chain.size()
    chain.record(said("join", ["orders"], ["joined"], at="2026-11-04T08:00:00Z"))
    now = ask(client, "/v1/lineage", node=id_of("joined"), direction="up")
    assert id_of("customers") not in ids(now)
    then = ask(client, "/v1/lineage", node=id_of("joined"), direction="up", asOf=before - 1)
    assert id_of("customers") in ids(then) and then["asOf"] == before - 1
    valid = ask(client, "/v1/lineage", node=id_of("joined"), direction="up", validAt="2026-11-03T00:00:00Z")
    assert id_of("customers") in ids(valid) and valid["validAt"] == "2026-11-03T00:00:00.000000Z"
    assert client.get("/v1/lineage", params={"node": id_of("joined"), "asOf": chain.size()}).status_code == 404


def test_a_viewer_of_one_namespace_learns_nothing_of_another(chain, client, make_token, as_bearer):
    headers = as_bearer(make_token("viewer", SALES))
    answer = client.get("/v1/lineage", params={"node": id_of("orders")}, headers=headers)
    assert answer.status_code == 200 and "finance" not in answer.text and "ledger" not in answer.text
    found = answer.json()
    [opaque] = [node for node in found["nodes"] if node.get("opaque")]
    assert opaque == {"id": "opaque:1", "type": "job", "opaque": True}
    assert {"from": id_of("totals"), "to": "opaque:1", "opaque": True} in found["edges"]
    assert (found["complete"], found["opaque"]) == (False, 1)
    for path in ("/v1/lineage", "/v1/impact"):
        hidden = client.get(path, params={"node": id_of("ledger", FINANCE)}, headers=headers)
        missing = client.get(path, params={"node": id_of("nothing", FINANCE)}, headers=headers)
        assert hidden.status_code == missing.status_code == 404
        assert hidden.json()["error"]["type"] == missing.json()["error"]["type"]
    assert client.get("/v1/search", params={"q": "ledger"}, headers=headers).json()["results"] == []
    assert FINANCE not in client.get("/v1/entities", headers=headers).text
    assert client.get(f"/v1/entities/{id_of('ledger', FINANCE)}", headers=headers).status_code == 404
    runs = client.get("/v1/runs", headers=headers).json()["runs"]
    assert {run["job"] for run in runs} == {id_of("join", type_="job"), id_of("report", type_="job")}
    theirs = run_id("close 2026-11-03T08:00:00Z")
    assert client.get(f"/v1/runs/{theirs}", headers=headers).status_code == 404
    assert client.get(f"/v1/runs/{theirs}").status_code == 200
    path = {"from": id_of("orders"), "to": id_of("ledger", FINANCE)}
    assert client.get("/v1/path", params=path, headers=headers).status_code == 404
    detail = client.get(f"/v1/entities/{id_of('totals')}", headers=headers)
    assert detail.status_code == 200 and detail.json()["usedBy"] == [] and "finance" not in detail.text


def test_impact_counts_by_distance_and_namespace(chain, client):
    answer = ask(client, "/v1/impact", node=id_of("orders"))
    assert answer["total"] == {"datasets": 3, "jobs": 3}
    last = answer["byDistance"][-1]
    assert last == {
        "distance": 3,
        "datasets": 1,
        "jobs": 1,
        "namespaces": [{"namespace": FINANCE, "datasets": 1, "jobs": 1}],
    }


def test_paths_are_the_shortest_and_say_whether_there_are_more(chain, client):
    chain.record(said("other", ["orders"], ["joined"], at="2026-11-05T08:00:00Z"))
    one = ask(client, "/v1/path", **{"from": id_of("orders"), "to": id_of("totals"), "count": 1})
    assert one["found"] == {"connected": True, "direction": "down"} and one["steps"] == 2 and one["more"]
    both = ask(client, "/v1/path", **{"from": id_of("orders"), "to": id_of("totals")})
    assert len(both["paths"]) == 2 and not both["more"]
    assert both["paths"][0]["nodes"][0] == id_of("orders") and both["paths"][0]["nodes"][-1] == id_of("totals")
    assert len(both["paths"][0]["edges"]) == 4
    back = ask(client, "/v1/path", **{"from": id_of("totals"), "to": id_of("orders")})
    assert back["found"]["direction"] == "up" and len(back["paths"]) == 2
    none = ask(client, "/v1/path", **{"from": id_of("orders"), "to": id_of("customers")})
    assert none["found"] == {"connected": False, "direction": None} and none["paths"] == []


def test_diff_names_what_came_and_went_and_the_entries_that_did_it(chain, client):
    before = chain.size() - 1
    [receipt] = chain.record(said("join", ["orders", "prices"], ["joined"], at="2026-11-06T08:00:00Z"))
    answer = ask(client, "/v1/diff", node=id_of("joined"), direction="up", **{"from": before})
    assert [json_["id"] for json_ in answer["nodesCame"]] == [id_of("prices")]
    assert [json_["id"] for json_ in answer["nodesWent"]] == [id_of("customers")]
    [came] = [e for e in answer["edgesCame"] if e["from"] == id_of("prices")]
    [went] = [e for e in answer["edgesWent"] if e["from"] == id_of("customers")]
    assert came["entry"] == went["endedBy"] == receipt.index


def test_diff_gives_a_viewer_what_changed_in_his_namespace_and_nothing_of_others(chain, client, make_token, as_bearer):
    before = chain.size() - 1
    chain.record(said("join", ["orders", "prices"], ["joined"], at="2026-11-06T08:00:00Z"))
    headers = as_bearer(make_token("viewer", SALES))
    answer = client.get("/v1/diff", params={"node": id_of("joined"), "from": before}, headers=headers)
    assert answer.status_code == 200 and "finance" not in answer.text and "opaque:" not in answer.text
    found = answer.json()
    assert [node["id"] for node in found["nodesCame"]] == [id_of("prices")]
    assert [node["id"] for node in found["nodesWent"]] == [id_of("customers")]
    assert (found["complete"], found["opaque"]) == (False, 1)


def test_answers_stay_the_same_when_no_more_pieces_of_text_can_be_kept(chain, client, monkeypatch):
    asked = [("/v1/lineage", id_of(name)) for name in ("orders", "totals", "orders")] + [
        ("/v1/impact", id_of("orders"))
    ]
    kept = [ask(client, path, node=node) for path, node in asked]
    monkeypatch.setattr("wherefrom.lineage.graph.render._KEPT", 1)
    assert [ask(client, path, node=node) for path, node in asked] == kept
    assert len(kept[0]["nodes"]) == 7 and kept[0] == kept[2] != kept[1]


def test_columns_are_followed_only_where_an_event_says_so(archive, client):
    made = (SALES, "joined", columns(("total", "orders", "amount", "DIRECT"), ("total", "orders", "day", "INDIRECT")))
    last = (SALES, "totals", columns(("sum", "joined", "total", "DIRECT")))
    archive.record(said("join", ["orders"], [made]), said("report", ["joined"], [last]))
    up = ask(client, "/v1/lineage", node=id_of("totals"), field="sum", direction="up")
    assert {(one["id"], one["field"]) for one in up["fields"]} == {
        (id_of("totals"), "sum"),
        (id_of("joined"), "total"),
        (id_of("orders"), "amount"),
        (id_of("orders"), "day"),
    }
    assert {(e["from"]["field"], e["type"]) for e in up["columns"]} == {
        ("total", "DIRECT"),
        ("amount", "DIRECT"),
        ("day", "INDIRECT"),
    }
    down = ask(client, "/v1/lineage", node=id_of("orders"), field="amount", direction="down")
    assert (id_of("totals"), "sum") in {(one["id"], one["field"]) for one in down["fields"]}
    same_name = ask(client, "/v1/lineage", node=id_of("orders"), field="sum", direction="down")
    assert len(same_name["fields"]) == 1
    beside = ask(client, "/v1/lineage", node=id_of("totals"), columns=True)
    assert len(beside["columns"]) == 3


def test_search_ranks_exact_names_first_and_forgives_a_typing_error(chain, client):
    chain.record(said("more", ["orders_old", "all_orders", "preorders"], ["order"]))
    found = [(hit["name"], hit["match"]) for hit in ask(client, "/v1/search", q="orders", type="dataset")["results"]]
    assert found[:4] == [("orders", "exact"), ("orders_old", "prefix"), ("all_orders", "word"), ("preorders", "part")]
    assert ask(client, "/v1/search", q="custmers")["results"][0]["name"] == "customers"
    assert ask(client, "/v1/search", q="xyzzyx")["results"] == []
    assert ask(client, "/v1/search", q="orders", type="job")["results"] == []


def test_entities_are_listed_page_by_page_each_once(chain, client):
    seen, cursor = [], 0
    while cursor is not None:
        page = ask(client, "/v1/entities", type="dataset", limit=2, cursor=cursor)
        seen += [one["name"] for one in page["entities"]]
        cursor = page["next"]
    assert sorted(seen) == ["customers", "joined", "ledger", "orders", "totals"]
    assert [one["name"] for one in ask(client, "/v1/entities", prefix="cust")["entities"]] == ["customers"]


def test_an_entity_says_who_makes_and_uses_it_and_its_schema(chain, client):
    schema = {"schema": {**FACET, "fields": [{"name": "day", "type": "date"}]}}
    [receipt] = chain.record(said("report", ["joined"], [(SALES, "totals", schema)], at="2026-11-07T08:00:00Z"))
    answer = ask(client, f"/v1/entities/{id_of('totals')}")
    assert [one["name"] for one in answer["madeBy"]] == ["report"]
    assert [one["name"] for one in answer["usedBy"]] == ["close"]
    assert answer["schema"] == {"fields": [{"name": "day", "type": "date"}], "entry": receipt.index}
    job = ask(client, f"/v1/entities/{id_of('report', type_='job')}")
    assert [one["name"] for one in job["inputs"]] == ["joined"] and len(job["runs"]) == 2
    assert client.get("/v1/entities/dataset:no:where").status_code == 404


def test_a_run_says_what_it_used_and_its_lineage_is_that_of_its_time(chain, client):
    first = run_id("join 2026-11-01T08:00:00Z")
    chain.record(said("join", ["orders"], ["joined"], at="2026-11-08T08:00:00Z"))
    answer = ask(client, f"/v1/runs/{first}", proof=True)
    assert {one["id"] for one in answer["inputs"]} == {id_of("orders"), id_of("customers")}
    assert (answer["state"], answer["job"]["name"], len(answer["events"])) == ("COMPLETE", "join", 1)
    lineage = ask(client, "/v1/lineage", node=f"run:{first}", direction="up", depth=1)
    assert id_of("customers") in ids(lineage)
    second = ask(client, "/v1/lineage", node=f"run:{run_id('join 2026-11-08T08:00:00Z')}", direction="up", depth=1)
    assert id_of("customers") not in ids(second)


def test_proofs_lead_from_the_statements_to_the_checkpoint(chain, client):
    answer = ask(client, "/v1/lineage", node=id_of("joined"), proof=True)
    evidence, checkpoint = answer["evidence"], answer["checkpoint"]
    assert {one["index"] for one in evidence["proofs"]} == {edge["entry"] for edge in answer["edges"]}
    for one in evidence["proofs"]:
        proof = [bytes.fromhex(part) for part in one["proof"]]
        known = {"size": checkpoint["size"], "root": bytes.fromhex(checkpoint["root"]), "proof": proof}
        verify_inclusion(bytes.fromhex(one["statementId"]), index=one["index"], **known)
        with pytest.raises(Exception, match="inclusion proof"):
            verify_inclusion(hash_leaf(b"another"), index=one["index"], **known)
    assert evidence["note"].splitlines()[1] == str(checkpoint["size"])


def test_only_one_kind_of_node_is_joined_through_the_others(chain, client):
    data = ask(client, "/v1/lineage", node=id_of("joined"), kinds="dataset")
    assert {node["type"] for node in data["nodes"]} == {"dataset"}
    assert (id_of("orders"), id_of("joined")) in {(e["from"], e["to"]) for e in data["edges"]}
    jobs = ask(client, "/v1/lineage", node=id_of("joined"), kinds="job")
    assert (id_of("join", type_="job"), id_of("report", type_="job")) in {(e["from"], e["to"]) for e in jobs["edges"]}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"node": "nothing"}, 400),
        ({"node": "dataset:"}, 400),
        ({}, 400),
        ({"node": "dataset:a:b"}, 404),
        ({"node": "run:x"}, 404),
        ({"node": id_of("joined"), "depth": 101}, 422),
        ({"node": id_of("joined"), "asOf": "yesterday"}, 400),
        ({"node": id_of("joined"), "validAt": "2026"}, 400),
        ({"node": id_of("joined"), "maxNodes": 0}, 422),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(chain, client, query, status):
    answer = client.get("/v1/lineage", params=query)
    assert answer.status_code == status and "message" in json.loads(answer.text)["error"]
