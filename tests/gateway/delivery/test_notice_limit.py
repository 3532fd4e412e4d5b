"""A cycle that cannot make more messages than are permitted is read once, and makes no more."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from flows.domain.bill_cycle import CyclePage
from flows.domain.records import Bill, Subscriber
from tests.gateway.delivery.test_quiet_gate import notify_now
from tests.support.databases import count_rows
from tests.support.gateway_sandbox import GatewaySandbox
from tests.support.gateway_sandbox import sandbox as sandbox
from tests.support.gateway_sandbox import sandboxes as sandboxes

OPERATOR = "orange-ro"


@dataclass
class CountedCycle:
    """Billing of two pages with two bills each, which says that there are `expected`."""

    expected: int | None
    issued: date
    pages_read: int = 0

    async def list_issued_bills(self, first: date, last: date) -> AsyncIterator[CyclePage]:
        """Yield the pages and count them."""
        for numbers in ((1, 2), (3, 4)):
            self.pages_read += 1
            pairs = [(self._bill(number), self._holder(number)) for number in numbers]
            yield CyclePage(pairs, expected_bills=self.expected)

    async def get_account_holder(self, account: str) -> Subscriber:
        """Return the holder of an account."""
        return self._holder(int(account))

    def _bill(self, number: int) -> Bill:
        amounts = (Decimal("79.900"), Decimal("1.000"), Decimal("79.900"))
        return Bill(f"b{number}", f"b{number}", f"{number}", self.issued, self.issued, *amounts, state="due")

    def _holder(self, number: int) -> Subscriber:
        who = (f"s{number}", OPERATOR, f"+4074000000{number}", f"{number}", "A")
        return Subscriber(*who, "mobile", "residential", "ro", date(2020, 1, 1))


async def notify_cycle(sandbox: GatewaySandbox, cycle: CountedCycle, threshold: int, **given: Any) -> int:
    """Run `dialtree notify` over a cycle, where more than `threshold` messages want their number."""
    settings = sandbox.container.settings
    section = settings.operators[OPERATOR].model_copy(update={"notify_without_asking": threshold})
    asking = settings.model_copy(update={"operators": {**settings.operators, OPERATOR: section}})
    sandbox.container = replace(sandbox.container, settings=asking)
    ports: Any = sandbox.container.operators[OPERATOR]
    ports.billing = cycle
    return await notify_now(sandbox, **given)


@pytest.mark.parametrize(
    ("expected", "threshold", "confirm", "pages"),
    [(4, 8, 0, 1 + 2), (4, 1, 8, 1 + 2), (4, 7, 0, 1 + 2 + 2), (None, 8, 0, 1 + 2 + 2), (4, 0, 0, 2)],
    ids=["within the setting", "within --confirm", "perhaps more", "not counted", "no limit"],
)
async def test_a_cycle_is_counted_first_only_where_it_may_be_too_large(
    sandbox: GatewaySandbox, expected: int | None, threshold: int, confirm: int, pages: int
) -> None:
    cycle = CountedCycle(expected, sandbox.clock().date())
    assert await notify_cycle(sandbox, cycle, threshold, confirm=confirm) == 0
    assert cycle.pages_read == pages
    assert await count_rows(sandbox.container.database, "outbox") == 4


async def test_a_billing_system_that_lists_more_than_it_counted_is_stopped(
    sandbox: GatewaySandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    cycle = CountedCycle(1, sandbox.clock().date())
    assert await notify_cycle(sandbox, cycle, 2) == 1
    assert "more bills than it counted: over 2 messages" in capsys.readouterr().err
    assert await count_rows(sandbox.container.database, "outbox") == 2


async def test_a_cycle_without_bills_is_within_every_limit(sandbox: GatewaySandbox) -> None:
    assert await notify_now(sandbox, cycle="2001-01") == 0
