"""Rates that are on no bill yet, by a flag that servers also write as a word."""

import pytest

from flows.domain.account_activity import account_activity
from tests.storage.billing.test_imperfect_records import serve_answers, tmf_answers


@pytest.mark.parametrize(
    ("flag", "listed"),
    [(False, 1), ("false", 1), ("0", 1), (None, 1), (True, 0), ("true", 0), ("maybe", 0)],
)
async def test_a_rate_is_unbilled_by_the_meaning_of_its_flag(flag: object, listed: int) -> None:
    money = {"unit": "RON", "value": "4.50"}
    rate = {"id": "1", "isBilled": flag, "billingAccount": {"id": "A1"}, "date": "2026-03-09T10:00:00Z"}
    answers = {"BillingRate": [{**rate, "taxIncludedAmount": money}]}
    async with serve_answers("tmf678", tmf_answers(**answers), serves=["unbilled"]) as billing:
        lines = await account_activity(billing).list_unbilled_lines("A1")
    assert [str(each.amount) for each in lines] == ["4.50"] * listed
