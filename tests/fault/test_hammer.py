"""A few seconds of what bench/hammer.py does for minutes."""

import pytest
from hammering import hammer


@pytest.mark.slow
def test_every_proof_that_readers_ask_for_while_others_write_leads_to_checkpoints_that_grow_out_of_each_other(archive):
    done = hammer(archive, seconds=10, writers=4, readers=4, processes=2, entries=600)
    assert done.failures == []
    assert {what for what, times in done.spent.items() if times} >= {
        "statement recorded",
        "checkpoint chained to the last",
        "entry proven",
    }
