"""A short run of what bench/fuzz.py does at length: the same inputs each time."""

import random
import tracemalloc

import pytest
from mutation import mutate
from targets import KIB, TARGETS

EXECUTIONS = 3000
MOST_MEMORY = 64 * KIB * KIB

every_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)


@every_target
def test_of_the_examples_at_least_one_is_read_and_none_breaks_the_parser(target):
    read = [target.try_(data) for data in target.seeds()]
    assert any(read)


@every_target
def test_no_changed_input_breaks_the_parser_or_is_read_as_something_else(target):
    dice, known = random.Random(target.name), target.seeds()
    for number in range(EXECUTIONS // target.cost):
        data = mutate(dice, dice.choice(known), known, most=target.most)
        try:
            target.try_(data)
        except Exception as error:
            error.add_note(f"execution {number} of {target.name}: {data[:500]!r}")
            raise


@every_target
def test_what_is_read_takes_memory_by_the_size_of_the_input_and_not_by_what_it_claims(target):
    dice, known = random.Random(target.name), target.seeds()
    tracemalloc.start()
    try:
        for _ in range(100):
            target.try_(mutate(dice, dice.choice(known), known, most=target.most))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST_MEMORY
