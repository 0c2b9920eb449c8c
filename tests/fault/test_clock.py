from injection import assert_kept, let_clock_jump


def test_a_clock_that_jumps_delays_statements_and_never_puts_them_out_of_order(worker, tmp_path):
    refused = acknowledged = 0
    for tried in assert_kept(let_clock_jump(worker, tmp_path, range(4), batches=12)):
        assert all("the clock says" in said for said in tried.told.refused)
        refused, acknowledged = refused + len(tried.told.refused), acknowledged + len(tried.told.receipts)
    assert refused
    assert acknowledged
