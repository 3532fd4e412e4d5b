"""Lists of a merchant's payments: the published scenarios of CAMARA's `retrievePayments` that apply.

Tests carry the numbers of the published scenarios (Carrier Billing 0.5.0). These do not apply:

- 03, payments of the token's phone number: tokens are the merchant's, not a phone number's
- 10, payments of one `merchantIdentifier`: none is stored, each merchant has a token; it is refused
- 09 with `processing`: every answer is the decision itself, so that list is empty
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.purchases import camara_list
from tests.gateway.purchases.camara_merchant import (
    GAMES_TOKEN,
    LUC,
    NARROW_TOKEN,
    SLOW_TOKEN,
    Merchant,
    open_merchant,
    transaction,
)
from tests.gateway.purchases.camara_scenarios import published_codes, required_fields
from tests.support.gateway_sandbox import SandboxFactory

AGES = (40, 20, 6, 2)
"""Days ago that a payment was made on; besides them there is one of each status, made just now."""
STATUSES = ("pending_validation", "reserved", "succeeded", "cancelled", "denied")
COUNT = len(AGES) + len(STATUSES)


@pytest.fixture
async def merchant(sandboxes: SandboxFactory) -> AsyncIterator[Merchant]:
    async with open_merchant(sandboxes) as opened:
        yield opened


async def make_history(merchant: Merchant) -> None:
    """Make payments over forty days, and one of each status at the end."""
    for age, next_age in zip(AGES, (*AGES[1:], 0), strict=True):
        await merchant.make_payment("createPayment")
        merchant.sandbox.clock.advance(timedelta(days=age - next_age))
    denied = replace(merchant, body=transaction(50.01))
    assert (await denied.send("createPayment"))[0] == 422
    cancelled = (await merchant.make_payment("preparePayment"))["paymentId"]
    await replace(merchant, payment=cancelled, body={"phoneNumber": LUC}).send("cancelPayment")
    await merchant.make_payment("preparePayment", 12.0)
    await merchant.make_payment("preparePayment")
    await merchant.make_payment("createPayment")


async def read_list(merchant: Merchant, **query: str) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Return headers and rows of a list that is answered."""
    words = "&".join(f"{name.replace('_', '.')}={value}" for name, value in query.items())
    status, headers, rows = await replace(merchant, query=f"?{words}").send("retrievePayments")
    assert status == 200 and headers["x-correlator"] == "x-1", rows
    assert headers["Content-Type"].startswith("application/json")
    assert all({*required_fields("Payment")} <= each.keys() for each in rows)
    return headers, rows


def days_ago(merchant: Merchant, days: float) -> str:
    return f"{merchant.sandbox.clock() - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"


def dates(rows: Sequence[dict[str, Any]]) -> list[datetime]:
    return [datetime.fromisoformat(each["paymentCreationDate"]) for each in rows]


async def test_01_02_04_a_merchant_lists_its_own_payments_and_no_others(merchant: Merchant) -> None:
    assert (await read_list(merchant))[1] == []
    await make_history(merchant)
    headers, rows = await read_list(merchant)
    assert len(rows) == COUNT and headers["X-Total-Count"] == headers["Content-Last-Key"] == str(COUNT)
    assert (await read_list(replace(merchant, token=GAMES_TOKEN)))[1] == []


async def test_05_06_07_payments_are_listed_by_their_dates(merchant: Merchant) -> None:
    await make_history(merchant)
    for days, count in ((1, 5), (7, 7), (30, 8)):
        since = days_ago(merchant, days)
        rows = (await read_list(merchant, paymentCreationDate_gte=since))[1]
        assert len(rows) == count and min(dates(rows)) >= datetime.fromisoformat(since)
    for days, count in ((1, 4), (3, 3), (7, 2)):
        until = days_ago(merchant, days)
        rows = (await read_list(merchant, paymentCreationDate_lte=until))[1]
        assert len(rows) == count and max(dates(rows)) <= datetime.fromisoformat(until)
    for first, last, count in ((7, 0, 7), (30, 0, 8), (30, 7, 1)):
        within = {"paymentCreationDate_gte": days_ago(merchant, first)}
        within["paymentCreationDate_lte"] = days_ago(merchant, last)
        assert len((await read_list(merchant, **within))[1]) == count


async def test_08_payments_are_ordered_by_their_date(merchant: Merchant) -> None:
    await make_history(merchant)
    for order, is_descending in (("desc", True), ("asc", False)):
        listed = dates((await read_list(merchant, order=order))[1])
        assert listed == sorted(listed, reverse=is_descending) and len({*listed}) > 1


async def test_09_payments_are_listed_by_their_status(merchant: Merchant) -> None:
    await make_history(merchant)
    for status in STATUSES:
        rows = (await read_list(merchant, paymentStatus=status))[1]
        assert len(rows) == (1 + len(AGES) if status == "succeeded" else 1)
        assert {each["paymentStatus"] for each in rows} == {status}
    assert (await read_list(merchant, paymentStatus="processing"))[1] == []
    assert len((await read_list(merchant, paymentStatus="reserved,denied"))[1]) == 2
    both = replace(merchant, query="?paymentStatus=reserved&paymentStatus=cancelled")
    assert len((await both.send("retrievePayments"))[2]) == 2


async def test_11_pages_say_where_they_are_in_the_whole(merchant: Merchant) -> None:
    await make_history(merchant)
    for _ in range(3):
        await merchant.make_payment("createPayment")
    listed, places = [], []
    for page in ("1", "2", "3", "4"):
        headers, rows = await read_list(merchant, page=page, perPage="5")
        listed += [each["paymentId"] for each in rows]
        places.append((len(rows), headers["Content-Last-Key"], headers["X-Total-Count"]))
    assert places == [(5, "5", "12"), (5, "10", "12"), (2, "12", "12"), (0, "12", "12")]
    assert len({*listed}) == 12 and len((await read_list(merchant))[1]) == camara_list.DEFAULT_PAGE


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("paymentCreationDate.gte={now}&paymentCreationDate.lte={week}", "INVALID_DATE_RANGE"),
        ("paymentCreationDate.gte={week}&paymentCreationDate.lte={month}", "INVALID_DATE_RANGE"),
        ("page=1000&perPage=1000", "OUT_OF_RANGE"),
        ("paymentStatus=paid", "INVALID_ARGUMENT"),
        ("order=newest", "INVALID_ARGUMENT"),
        ("merchantIdentifier=m-1", "INVALID_ARGUMENT"),
    ],
)
async def test_400_01_02_a_list_that_cannot_be_is_refused(query: str, code: str, merchant: Merchant) -> None:
    times = {"now": days_ago(merchant, 0), "week": days_ago(merchant, 7), "month": days_ago(merchant, 30)}
    merchant.query = f"?{query.format(**times)}"
    status, _, got = await merchant.send("retrievePayments")
    assert (status, got["status"], got["code"].rpartition(".")[2]) == (400, 400, code)
    assert got["message"] and got["code"] in published_codes()


async def test_400_03_more_payments_than_are_searched_are_no_list(
    merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("gateway.purchases.camara_list", "gateway.http.carrier_billing"):
        monkeypatch.setattr(f"{place}.MAX_MATCHING", COUNT - 1)
    await make_history(merchant)
    status, _, got = await merchant.send("retrievePayments")
    assert (status, got["code"]) == (400, "CARRIER_BILLING.TOO_MANY_MATCHING_RECORDS")
    assert len((await read_list(merchant, paymentCreationDate_gte=days_ago(merchant, 30)))[1]) == COUNT - 1


async def test_400_04_a_correlator_with_other_letters_is_refused(merchant: Merchant) -> None:
    merchant.headers = {"x-correlator": "not allowed!"}
    status, _, got = await merchant.send("retrievePayments")
    assert (status, got["code"]) == (400, "INVALID_ARGUMENT")


async def test_401_403_429_who_may_not_ask_is_told_so(merchant: Merchant) -> None:
    expired = await merchant.fetch_token()
    merchant.sandbox.clock.advance(timedelta(hours=1))
    refused = {"": 401, expired: 401, "nonsense": 401, NARROW_TOKEN: 403}
    for token, expected in refused.items():
        assert (await replace(merchant, token=token).send("retrievePayments"))[0] == expected
    slow = replace(merchant, token=SLOW_TOKEN)
    assert [(await slow.send("retrievePayments"))[0] for _ in range(2)] == [200, 429]
