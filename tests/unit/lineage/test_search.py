"""Finding names: which hits are the best, however many there are."""

import pytest

pytest.importorskip("rapidfuzz", reason="rapidfuzz is not installed: the extra `server` has it")

from wherefrom.lineage.graph.names import Names, dataset_node
from wherefrom.lineage.graph.search import RANKS, Search


def search_over(texts):
    names = Names()
    names.add([(number, "lake", text, 0) for number, text in enumerate(texts, 1)], jobs=False)
    return Search(names)


def find(search, texts, wanted, limit=20, accept=lambda node: True):
    return [(texts[hit.node // 2 - 1], RANKS[hit.rank]) for hit in search.find(wanted, accept=accept, limit=limit)]


def test_the_best_kind_of_hit_comes_first_and_of_two_alike_the_shorter_name():
    texts = ["my_reorders", "raw.orders", "orders_of_today", "orders_eu", "orders", "odrers", "customers"]
    assert find(search_over(texts), texts, "Orders") == [
        ("orders", "exact"),
        ("orders_eu", "prefix"),
        ("orders_of_today", "prefix"),
        ("raw.orders", "word"),
        ("my_reorders", "part"),
        ("odrers", "similar"),
    ]


def test_whole_names_and_beginnings_are_found_behind_any_number_of_parts():
    texts = [f"a_x{number}" for number in range(6000)] + ["x", "xylophone"]
    assert find(search_over(texts), texts, "x", limit=2) == [("x", "exact"), ("xylophone", "prefix")]


def test_what_may_not_be_seen_is_no_hit_and_takes_no_place():
    texts = [f"orders{number}" for number in range(6000)] + ["my_orders", "ordres"]
    hidden = {dataset_node(number) for number in range(1, 6001)}
    found = find(search_over(texts), texts, "orders", accept=lambda node: node not in hidden)
    assert found == [("my_orders", "word"), ("ordres", "similar")]
    assert find(search_over(texts), texts, "orders", accept=lambda node: False) == []


def test_names_that_come_later_are_found_at_once():
    texts = ["first", "second"]
    names = Names()
    names.add([(1, "lake", "first", 0)], jobs=False)
    search = Search(names)
    assert find(search, texts, "second") == []
    names.add([(2, "lake", "second", 0)], jobs=False)
    assert find(search, texts, "second") == [("second", "exact")]
    assert find(search, texts, "secnod") == [("second", "similar")]
