"""Ranges of row ids: the short text form of long id lists, and the ids left out between them."""

from collections.abc import Iterable, Iterator
from itertools import chain

IdRange = tuple[int, int]
"""First and last id, both included."""


def group_ids(ids: Iterable[int]) -> list[IdRange]:
    """Return ascending ids as ranges of consecutive ones."""
    ranges: list[IdRange] = []
    for each in ids:
        if ranges and ranges[-1][1] + 1 == each:
            ranges[-1] = (ranges[-1][0], each)
        else:
            ranges.append((each, each))
    return ranges


def format_ranges(ranges: Iterable[IdRange]) -> str:
    """Return ranges as text, such as `7,9-1006`."""
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def parse_ranges(text: str) -> list[IdRange]:
    """Return the ranges of a text; ValueError when it is none."""
    pairs = (each.partition("-") for each in text.split(",") if each)
    return [(int(first), int(last or first)) for first, _, last in pairs]


def list_ids(ranges: Iterable[IdRange]) -> list[int]:
    """Return all ids of the ranges."""
    return list(chain.from_iterable(range(first, last + 1) for first, last in ranges))


def find_gaps(within: IdRange, ids: Iterable[int]) -> Iterator[IdRange]:
    """Yield what a range has besides these ascending ids, of which those outside do not count."""
    start, end = within
    for each in ids:
        if start <= each <= end:
            if each > start:
                yield start, each - 1
            start = each + 1
    if start <= end:
        yield start, end
