"""Merkle tree and id ranges: as RFC 6962 defines the tree, every leaf provable, ranges lose no id."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.audit.id_ranges import find_gaps, format_ranges, group_ids, list_ids, parse_ranges
from storage.audit.merkle import compute_root, follow_path, list_path

IDS = st.sets(st.integers(1, 60)).map(sorted)


def define_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root by the recursive definition of RFC 6962, section 2.1."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + define_root(leaves[:split]) + define_root(leaves[split:])).digest()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 11])
def test_every_leaf_leads_to_the_root_and_no_other_value_does(size: int) -> None:
    leaves = [bytes([number]) for number in range(size)]
    root = define_root(leaves)
    assert compute_root(leaves) == root
    for index, leaf in enumerate(leaves):
        path = list_path(leaves, index)
        assert follow_path(leaf, path) == root
        assert follow_path(b"other", path) != root


@given(IDS)
def test_ids_survive_their_text(ids: list[int]) -> None:
    assert list_ids(parse_ranges(format_ranges(group_ids(ids)))) == ids


@given(IDS, st.integers(1, 60), st.integers(1, 60))
def test_gaps_are_what_a_range_has_besides_the_ids(ids: list[int], first: int, last: int) -> None:
    assert list_ids(find_gaps((first, last), ids)) == [n for n in range(first, last + 1) if n not in ids]
