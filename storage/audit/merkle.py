"""Merkle tree (RFC 6962, section 2.1): one hash over the MACs of many audit entries, proofs for one."""

import hashlib
from collections.abc import Iterator, Sequence

LEAF_PREFIX, NODE_PREFIX = b"\x00", b"\x01"
"""First bytes of what is hashed: a leaf can never pass for an inner node."""

PathStep = tuple[str, bytes]
"""The side (`left` or `right`) on which a hash stands, and the hash."""


def compute_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root of the tree over at least one leaf, a SHA-256 hash."""
    *_, top = _compute_levels(leaves)
    return top[0]


def list_path(leaves: Sequence[bytes], index: int) -> list[PathStep]:
    """Return the hashes that lead from the leaf at `index`, counted from 0, to the root."""
    path: list[PathStep] = []
    for level in _compute_levels(leaves):
        sibling = index ^ 1
        if sibling < len(level):
            path.append(("left" if sibling < index else "right", level[sibling]))
        index //= 2
    return path


def follow_path(leaf: bytes, path: Sequence[PathStep]) -> bytes:
    """Return the root to which a path leads from a leaf."""
    reached = _hash_leaf(leaf)
    for side, other in path:
        reached = _hash_node(other, reached) if side == "left" else _hash_node(reached, other)
    return reached


def _hash_leaf(leaf: bytes) -> bytes:
    return hashlib.sha256(LEAF_PREFIX + leaf).digest()


def _hash_node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(NODE_PREFIX + left + right).digest()


def _compute_levels(leaves: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Yield the levels from the hashed leaves up to the root; an odd last hash goes up as it is."""
    level = [_hash_leaf(leaf) for leaf in leaves]
    yield level
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [_hash_node(left, right) for left, right in pairs] + level[len(level) & ~1 :]
        yield level
