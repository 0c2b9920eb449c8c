import pytest
from injection import FAULTS, Subject, assert_kept, in_folder
from publishing_faults import inject_into_publishing, nearly_full_tile
from workers import may_trace

MOST = {"EIO": 7, "ENOSPC": 3, "SIGKILL": 3}

pytestmark = pytest.mark.skipif(not may_trace(), reason="needs strace, and the right to trace one's processes")


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_published_is_whole_after_any_failed_call_and_the_next_try_completes_it(worker, tmp_path, fault):
    subject = Subject(nearly_full_tile(in_folder(tmp_path / "archive")))
    tried = []
    for call in ("openat", "write", "fsync", "rename"):
        tried += inject_into_publishing(
            worker, subject, tmp_path / "published", call, fault, range(1, 1 + 2 * MOST[fault], 2)
        )
    assert len(assert_kept(tried)) > MOST[fault]
