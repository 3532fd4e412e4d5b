"""Bulk calls: at most 100 recipients of one body in a call, each number once."""

from datetime import UTC, datetime

import pytest

from flows.domain.records import ClaimedMessage, OutboundMessage
from gateway.delivery import batching
from gateway.delivery.batching import group_for_bulk

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def claim_messages(count: int, distinct: int = 10_000) -> list[ClaimedMessage]:
    """Return messages with one body to `distinct` numbers in turn."""
    notices = [
        OutboundMessage(f"k{n}", "orange-ro", f"+4074{n % distinct:07}", "sms", "notice", "hi", "ro")
        for n in range(count)
    ]
    return [ClaimedMessage(n, 1, 1, notice, NOW) for n, notice in enumerate(notices)]


@pytest.fixture(autouse=True)
def bulk_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "_supports_bulk", lambda route: True)


@pytest.mark.parametrize(
    ("count", "sizes"), [(1, [1]), (99, [99]), (100, [100]), (101, [1, 100]), (103, [1, 1, 1, 100])]
)
def test_a_bulk_call_has_at_most_one_hundred_recipients(count: int, sizes: list[int]) -> None:
    assert [len(group) for group in group_for_bulk(claim_messages(count), {})] == sizes


def test_a_number_stands_once_in_a_bulk_call() -> None:
    groups = list(group_for_bulk(claim_messages(5, distinct=2), {}))
    assert sorted(len(group) for group in groups) == [1, 1, 1, 2]
