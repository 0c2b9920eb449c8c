"""Each route, each role, in its own namespace and in another: made from the OpenAPI document, nothing left out."""

import json
import re
import uuid
from urllib.parse import quote

import pytest
from events import content
from lineage_events import run_event
from team_server import MAY, OTHER, OWN, ROLES

from wherefrom.notes import SigningKey, format_verifier_key
from wherefrom.statements import dsse, format_statement, parse_event_statement, sign_envelope

METHODS = ("get", "post", "put", "delete", "patch")
ACTIONS = {"public", "self", "read", "write", "steward", "audit", "administer"}
KEY = SigningKey("laptop.example", bytes(range(32)))


def operations(app):
    for path, methods in sorted(app.openapi()["paths"].items()):
        for method, operation in methods.items():
            if method in METHODS:
                yield method.upper(), path, operation


def real_names(ids):
    """What the team has, by the names that routes use for it."""
    return {
        "namespace": OWN,
        "dataset": "zebra_out",
        "job": "zebra_job",
        "source": OWN,
        "run": ids["run"],
        "statement": ids["statement"],
        "grant": ids["grant"],
        "token": ids["token_id"],
        "key": format_verifier_key(KEY.verifier_key),
    }


def made_up_names():
    """The same, of what nobody has."""
    return {
        "namespace": "team-quagga",
        "dataset": "quagga_out",
        "job": "quagga_job",
        "source": "team-quagga",
        "run": str(uuid.UUID(int=7 << 100)),
        "statement": content("nothing"),
        "grant": content("no grant"),
        "token": content("no token")[:16],
        "key": format_verifier_key(SigningKey("tablet.example", bytes(32)).verifier_key),
    }


def path_value(path, name, names):
    known = {
        "which": names["statement"],
        "statement_id": names["grant"],
        "token_id": names["token"],
        "run_id": names["run"],
        "version": names["run"],
        "type": "dataset",
        "kind": "dataset",
        "node": f"dataset:{names['namespace']}:{names['dataset']}",
        "entity": f"dataset:{names['namespace']}:{names['dataset']}",
        "tag": "PII",
        "field": "a",
        "name": names["dataset"],
    }
    return (known | names)[name]


SPECIAL = {
    ("/v1/consistency", "from"): "1",
    ("/v1/diff", "from"): "2026-11-21T07:00:00Z",
    ("/v1/diff", "to"): "2026-11-21T09:00:00Z",
}


def query_value(name, names):
    node = f"dataset:{names['namespace']}:{names['dataset']}"
    return {
        "nodeId": node,
        "node": node,
        "from": node,
        "to": f"job:{names['namespace']}:{names['job']}",
        "q": names["dataset"][:6],
        "period": "DAY",
        "type": "job",
        "runId": names["run"],
        "statement": names["statement"],
        "principal": "service:viewer-inside",
        "namespace": names["namespace"],
        "of": names["dataset"],
        "at": "2026-11-21T09:00:00Z",
    }[name]


def body_of(method, path, names):
    """A sound body for each route that takes one; a new route needs a line here."""
    space = names["namespace"]
    event = run_event(77, namespace=space, job=names["job"], inputs=(), outputs=(names["dataset"],))
    envelope = sign_envelope(
        format_statement(parse_event_statement(json.dumps(event).encode())), {KEY.verifier_key.label: KEY}
    )
    dataset = {"type": "dataset", "namespace": space, "name": names["dataset"]}
    return {
        "POST /api/v1/lineage": event,
        "POST /api/v1/lineage/batch": [event],
        "POST /v1/statements": {"statements": [dsse.to_json(envelope)]},
        "POST /v1/keys": {"verifierKey": names["key"]},
        "POST /v1/corrections": {"corrects": names["statement"], "reason": "wrong"},
        "POST /v1/deletions": {**dataset, "reason": "dropped", "at": "2026-11-21T09:00:00Z"},
        "POST /v1/evidence": {"of": names["dataset"]},
        "POST /v1/me/tokens": {},
        "POST /v1/grants": {"principal": "user:new@example.com", "role": "viewer", "namespaces": space},
        "POST /v1/tokens": {"principal": "service:viewer-inside", "namespaces": [space]},
    }[f"{method} {path}"]


def make_request(method, path, operation, names):
    """(path with query, body) of a sound request about what `names` says."""
    template, query = path, []
    for parameter in operation.get("parameters", []):
        name = parameter["name"]
        if parameter["in"] == "path":
            path = path.replace(f"{{{name}}}", quote(path_value(path, name, names), safe=""))
        elif parameter["in"] == "query" and (parameter.get("required") or name in {"statement", "node"}):
            value = SPECIAL.get((template, name)) or query_value(name, names)
            query.append(f"{name}={quote(value, safe='')}")
    found = re.search(r"\{(\w+)\}", path)
    assert not found, f"{method} {path}: no value for {found}"
    body = json.dumps(body_of(method, template, names)).encode() if "requestBody" in operation else b""
    return path + ("?" + "&".join(query) if query else ""), body


def ask(team, method, path, operation, names, authorization):
    headers = {"Authorization": authorization} if authorization is not None else {}
    target, body = make_request(method, path, operation, names)
    return team.call(method, target, body=body, headers=headers)


def test_every_route_says_what_it_needs(team):
    for method, path, operation in operations(team.app):
        assert operation.get("x-wherefrom-action") in ACTIONS, f"{method} {path}"
    documented = {(m, p) for m, p, _ in operations(team.app)}
    there = {
        (method, re.sub(r":\w+\}", "}", route.path))
        for route in all_routes(team.app)
        for method in (getattr(route, "methods", None) or ())
        if method not in {"HEAD", "OPTIONS"}
    }
    # Of Marquez's interface, what would change something is answered with how it is done here, and does nothing.
    for method, path in sorted(there - documented - {("GET", "/openapi.json")}):
        target = re.sub(r"\{\w+(:path)?\}", "zebra_job", path)
        for token in team.tokens.values():
            answer = team.call(method, target, headers={"Authorization": f"Bearer {token}"})
            assert answer.status in {401, 404, 405}, (method, path, answer)


def all_routes(app):
    """Of the application and of all its routers, those that are left out of the document too."""
    rest, found = list(app.routes), []
    while rest:
        route = rest.pop()
        inner = getattr(route, "routes", None) or getattr(getattr(route, "original_router", None), "routes", None)
        if inner:
            rest += inner
        elif getattr(route, "path", None) is not None:
            found.append(route)
    return found


def test_without_a_token_that_counts_nothing_is_answered(team):
    names = real_names(team.ids)
    for method, path, operation in operations(team.app):
        if operation["x-wherefrom-action"] == "public":
            answer = ask(team, method, path, operation, names, None)
            assert answer.status not in {401, 403} or "login" in path or "logout" in path, (method, path, answer)
            assert "zebra" not in answer.text, path
            continue
        for what, authorization in team.bad_tokens.items():
            answer = ask(team, method, path, operation, names, authorization)
            assert answer.status == 401, (method, path, what, answer)
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert "zebra" not in answer.text


@pytest.mark.parametrize("role", ROLES)
def test_who_has_the_role_there_is_answered_and_who_has_not_is_denied(team, role):
    names = real_names(team.ids)
    for method, path, operation in operations(team.app):
        action = operation["x-wherefrom-action"]
        if action in {"public", "self"}:
            continue
        if method == "DELETE" or path == "/v1/tokens":
            continue  # it would end what other cells need; see the next test
        answer = ask(team, method, path, operation, names, f"Bearer {team.tokens[role, OWN]}")
        if action in MAY[role]:
            assert answer.status < 400 or answer.status in {404, 409}, (role, method, path, answer)
            assert answer.status not in {401, 403}, (role, method, path, answer)
        elif answer.status != 200 or action != "read":
            assert answer.status in {403, 404}, (role, method, path, answer)
        else:  # a list, of nothing
            assert "zebra" not in without(answer.text, names), (role, method, path, answer)


def without(text, names):
    """A text without the names that were in the request."""
    for value in names.values():
        text = text.replace(value, "")
    return text


def comparable(answer, names):
    """An answer, with what was asked for taken out of it."""
    text = answer.text
    for key, value in sorted(names.items(), key=lambda pair: -len(pair[1])):
        text = text.replace(value, f"<{key}>").replace(quote(value, safe=""), f"<{key}>")
    text = re.sub(r'"requestId":"[0-9a-f]+"', "", text)
    # What any act of one's own leaves: a new entry, a new time.
    text = re.sub(r'"(size|index|asOf|ledgerSize)":\d+', "", text)
    text = re.sub(r"[0-9a-f]{64}", "<hash>", text)
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)", "<time>", text)


VOLATILE = {"/metrics", "/v1/checkpoint", "/v1/consistency", "/v1/live"}


@pytest.mark.parametrize("role", ROLES)
def test_who_has_it_elsewhere_learns_not_even_what_there_is(team, role):
    """What is the team's and what nobody has are answered alike, and no answer has a name of the team's in it."""
    real, made_up = real_names(team.ids), made_up_names()
    for method, path, operation in operations(team.app):
        token = f"Bearer {team.tokens[role, OTHER]}"
        answers = [ask(team, method, path, operation, names, token) for names in (real, made_up)]
        shown = without(answers[0].text, real)
        if path != "/api/v1/search":  # which repeats the words that were asked for
            assert "zebra" not in shown.replace('"zebra_', '"'), (role, method, path, answers[0])
        assert answers[0].status < 500, (method, path, answers[0])
        if operation["x-wherefrom-action"] == "public" or path in VOLATILE or path == "/v1/keys":
            continue
        assert answers[0].status == answers[1].status, (role, method, path, answers)
        assert comparable(answers[0], real) == comparable(answers[1], made_up), (role, method, path)


def test_only_admins_of_a_namespace_end_grants_and_tokens_there(team):
    names = real_names(team.ids)
    deletions = [(m, p, o) for m, p, o in operations(team.app) if m == "DELETE" or (m, p) == ("POST", "/v1/tokens")]
    assert len(deletions) >= 3
    for method, path, operation in deletions:
        for (role, where), token in team.tokens.items():
            mine = operation["x-wherefrom-action"] == "self" and role == "viewer"
            if (role, where) != ("admin", OWN) and not mine:
                answer = ask(team, method, path, operation, names, f"Bearer {token}")
                assert answer.status in {403, 404}, (role, where, path)
    still = team.call("GET", "/v1/me", headers={"Authorization": f"Bearer {team.tokens['viewer', OWN]}"})
    assert (still.status, "viewer-inside" in still.text) == (200, True)
