import pytest

from wherefrom.errors import FormatError
from wherefrom.merkle import EMPTY_ROOT, CompactRange, hash_children, hash_leaf, root_of

LEAVES = [hash_leaf(bytes([i])) for i in range(70)]


def perfect_roots(begin, end):
    """The same from the top down: split the smallest perfect tree around the range until the parts fit."""

    def cover(start, width):
        if start >= end or start + width <= begin:
            return []
        if begin <= start and start + width <= end:
            return [root_of(LEAVES[start : start + width])]
        return cover(start, width // 2) + cover(start + width // 2, width // 2)

    return tuple(cover(0, 128))


@pytest.mark.parametrize("begin", range(20))
def test_a_range_holds_the_roots_of_the_fewest_perfect_subtrees(begin):
    for end in range(begin, 41):
        assert CompactRange.of(LEAVES[begin:end], begin=begin) == CompactRange(begin, end, perfect_roots(begin, end))


@pytest.mark.parametrize("begin", [0, 1, 3, 5, 8, 13])
def test_appending_one_by_one_gives_what_folding_at_once_gives(begin):
    grown = CompactRange(begin, begin)
    for end in range(begin + 1, 41):
        before = grown
        grown = grown.append(LEAVES[end - 1])
        assert grown == CompactRange.of(LEAVES[begin:end], begin=begin)
        assert before == CompactRange.of(LEAVES[begin : end - 1], begin=begin), "the range appended to has changed"


def test_neighbours_merge_to_the_range_over_both_wherever_they_meet():
    for begin in range(8):
        for end in range(begin, 30):
            whole = CompactRange.of(LEAVES[begin:end], begin=begin)
            for middle in range(begin, end + 1):
                left = CompactRange.of(LEAVES[begin:middle], begin=begin)
                right = CompactRange.of(LEAVES[middle:end], begin=middle)
                assert left.merge(right) == whole


def test_ranges_that_do_not_meet_are_not_merged():
    left = CompactRange.of(LEAVES[:4])
    for begin in (0, 3, 5):
        with pytest.raises(
            FormatError, match=rf"\[0, 4\) and \[{begin}, 6\) don't meet: expected the second to begin at 4"
        ):
            left.merge(CompactRange.of(LEAVES[begin:6], begin=begin))


def test_merging_the_other_way_round_is_refused():
    left, right = CompactRange.of(LEAVES[:4]), CompactRange.of(LEAVES[4:6], begin=4)
    with pytest.raises(FormatError, match="don't meet"):
        right.merge(left)


@pytest.mark.parametrize("size", range(41))
def test_the_root_is_that_of_the_leaves(size):
    assert CompactRange.of(LEAVES[:size]).root() == root_of(LEAVES[:size])


def test_the_empty_range_at_0_has_the_empty_root():
    assert CompactRange(0, 0).root() == EMPTY_ROOT


@pytest.mark.parametrize("begin", [1, 2, 4, 8])
def test_a_range_that_begins_elsewhere_has_no_root(begin):
    with pytest.raises(FormatError, match=rf"compact range \[{begin}, 16\) has no root: it does not begin at 0"):
        CompactRange.of(LEAVES[begin:16], begin=begin).root()


def test_an_odd_leaf_is_not_paired_with_itself():
    """Trees that repeat the last node give two lists of leaves one root (CVE-2012-2459)."""
    a, b, c = LEAVES[:3]
    assert root_of([a, b, c]) == hash_children(hash_children(a, b), c)
    assert root_of([a, b, c]) != root_of([a, b, c, c])


@pytest.mark.parametrize(
    ("begin", "end", "hashes", "says"),
    [
        (0, 3, (bytes(32),), r"compact range \[0, 3\) has 1 hashes, expected 2"),
        (0, 4, (bytes(32),) * 2, r"compact range \[0, 4\) has 2 hashes, expected 1"),
        (1, 3, (bytes(32),), r"compact range \[1, 3\) has 1 hashes, expected 2"),
        (2, 2, (bytes(32),), r"compact range \[2, 2\) has 1 hashes, expected 0"),
        (3, 2, (), r"compact range \[3, 2\) is none"),
        (-1, 0, (), r"compact range \[-1, 0\) is none"),
        (0, 3, (bytes(32), bytes(31)), r"compact range \[0, 3\): hash 1 has 31 bytes, expected 32"),
    ],
)
def test_a_range_that_cannot_be_is_not_made(begin, end, hashes, says):
    with pytest.raises(FormatError, match=says):
        CompactRange(begin, end, hashes)


def test_appending_a_hash_of_another_length_is_refused():
    with pytest.raises(FormatError, match=r"compact range \[2, 3\): hash 0 has 33 bytes, expected 32"):
        CompactRange.of(LEAVES[:2]).append(bytes(33))


def test_many_leaves_and_few_parts_agree_at_the_size_of_a_tile():
    leaves = [hash_leaf(i.to_bytes(4)) for i in range(1000)]
    merged = CompactRange(0, 0)
    for begin in range(0, 1000, 137):
        merged = merged.merge(CompactRange.of(leaves[begin : begin + 137], begin=begin))
    assert merged.root() == root_of(leaves)
