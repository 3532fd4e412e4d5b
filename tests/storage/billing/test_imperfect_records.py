"""Imperfect records: one bad bill hides no other, amounts are the currency's, ids may be numbers."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from flows.domain.bill_delivery import BillDestination
from flows.domain.failures import Down, NotFound
from flows.domain.ports import BillingCycles
from flows.domain.records import BillLine
from storage.billing._client.bill_order import natural_key
from storage.billing._client.currency import CurrencyRule, round_amount
from storage.billing.backend import RemoteBilling, connect_backend
from storage.sql.engine import connect as opened
from tests.support.billing.backends import LONG_TIMEOUTS, backend_site, serve_bss_app

TODAY = date(2026, 3, 10)
FEBRUARY, MARCH = ((date(2026, 2, 1), date(2026, 2, 28)), (date(2026, 3, 1), date(2026, 3, 31)))
KILLBILL_KEYS = {"api_key": "k", "api_secret": "s"}


def tmf_bill(bill_id: Any, day: str = "2026-03-01", total: Any = 79.9, **more: Any) -> dict[str, Any]:
    money = {"unit": "RON", "value": total}
    due = {"paymentDueDate": "2026-03-24"}
    amounts = {"taxIncludedAmount": money, "remainingAmount": money}
    owner = {"billingAccount": {"id": "A1"}}
    return {"id": bill_id, "state": "sent", "billDate": day, **due, **amounts, **owner, **more}


def invoice(number: int, amount: float = 79.9, balance: float | None = 79.9, **more: Any) -> dict[str, Any]:
    item = {"itemType": "RECURRING", "amount": amount, "invoiceItemId": "i1"}
    named = {
        "invoiceId": f"I{number}",
        "accountId": "A1",
        "invoiceNumber": str(number),
        "invoiceDate": "2026-03-01",
    }
    amounts = {"amount": amount, "balance": balance, "currency": "RON"}
    return {**named, **amounts, "status": "COMMITTED", "items": [item], **more}


PRODUCT = {
    "id": "P1",
    "startDate": "2020-01-01",
    "publicIdentifier": "+40740000101",
    "billingAccount": {"id": "A1"},
}
BUNDLE = {
    "bundleId": "b1",
    "accountId": "A1",
    "externalKey": "+40740000101",
    "subscriptions": [{"startDate": "2020-01-01", "state": "ACTIVE"}],
}


@asynccontextmanager
async def serve_answers(kind: str, answers: dict[str, Any], **options: Any) -> AsyncIterator[Any]:
    """Serve these bodies, by the end of the path, and yield a backend of the kind that reads them."""

    async def answer(request: web.Request) -> web.StreamResponse:
        body = next((value for ending, value in answers.items() if request.path.endswith(ending)), None)
        return web.Response(status=404) if body is None else web.Response(text=json.dumps(body))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with serve_bss_app(app) as url:
        given = {"currency": "RON", **LONG_TIMEOUTS, **(KILLBILL_KEYS if kind == "killbill" else {}), **options}
        billing = connect_backend(f"{kind}+{url}", backend_site(opened("sqlite://"), lambda: TODAY, given))
        assert isinstance(billing, RemoteBilling)
        try:
            yield billing
        finally:
            await billing.close()


def tmf_answers(*bills: dict[str, Any], **more: Any) -> dict[str, Any]:
    by_id = {f"/customerBill/{each['id']}": each for each in bills}
    return {
        "/customerBill": list(bills),
        "/product": [PRODUCT],
        "/billingAccount/A1": {"id": "A1"},
        **by_id,
        **more,
    }


def killbill_answers(*invoices: dict[str, Any]) -> dict[str, Any]:
    shallow = [{**each, "amount": 0, "balance": 0, "items": []} for each in invoices]
    lists = {"/invoices/pagination": shallow, "/invoices": list(invoices), "/bundles": [BUNDLE]}
    account = {"/customFields": [], "/accounts/A1": {"accountId": "A1"}}
    return {**lists, **account, **{f"/invoices/{each['invoiceId']}": each for each in invoices}}


async def cycle_of(billing: BillingCycles, first: date, last: date) -> tuple[list[str], list[str]]:
    pages = [page async for page in billing.list_issued_bills(first, last)]
    told = [str(bill.total) for page in pages for bill, _ in page]
    return told, [f"{each.bill_id}: {each.reason}" for page in pages for each in page.rejected]


async def test_kill_bills_amounts_are_read_where_they_are_true() -> None:
    async with serve_answers("killbill", killbill_answers(invoice(1), invoice(2, 20))) as billing:
        assert await cycle_of(billing, *MARCH) == (["79.90", "20.00"], [])


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"balance": None}, "balance"), ({"amount": "much"}, "amount"), ({"currency": "EUR"}, "another currency")],
)
async def test_an_unusable_invoice_is_named_and_the_others_are_told(
    change: dict[str, Any], reason: str
) -> None:
    async with serve_answers("killbill", killbill_answers(invoice(1), {**invoice(2), **change})) as billing:
        told, [named] = await cycle_of(billing, *MARCH)
    assert told == ["79.90"] and named.startswith("I2: ") and reason in named


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"paymentDueDate": None}, "paymentDueDate"),
        ({"billDate": "soon"}, "billDate"),
        ({"taxIncludedAmount": None}, "taxIncludedAmount"),
        ({"taxIncludedAmount": {"unit": "EUR", "value": 1}}, "another currency"),
        ({"billingAccount": None}, "billingAccount"),
    ],
)
async def test_an_unusable_bill_is_named_and_the_others_are_told(change: dict[str, Any], reason: str) -> None:
    answers = tmf_answers({**tmf_bill("BAD"), **change}, tmf_bill("GOOD"))
    async with serve_answers("tmf678", answers) as billing:
        told, [named] = await cycle_of(billing, *MARCH)
    assert told == ["79.90"] and named.startswith("BAD: ") and reason in named


async def test_a_holder_that_cannot_be_used_is_named_with_the_bill() -> None:
    undated = {key: value for key, value in PRODUCT.items() if key != "startDate"}
    async with serve_answers("tmf678", tmf_answers(tmf_bill("B1"), **{"/product": [undated]})) as billing:
        assert await cycle_of(billing, *MARCH) == ([], ["B1: the BSS answered an unusable startDate"])


async def test_a_bill_of_the_local_first_of_a_month_belongs_to_that_month() -> None:
    async with serve_answers("tmf678", tmf_answers(tmf_bill("B1", "2026-02-28T22:00:00Z"))) as billing:
        assert (await cycle_of(billing, *FEBRUARY))[0] == [] and (await cycle_of(billing, *MARCH))[0] == [
            "79.90"
        ]


async def test_an_old_unusable_bill_hides_no_other() -> None:
    old = tmf_bill("OLD", "2019-05-01", paymentDueDate=None)
    async with serve_answers(
        "tmf678", tmf_answers(old, tmf_bill("B2"), tmf_bill("B1", "2026-02-01"))
    ) as billing:
        assert [each.id for each in await billing.list_bills("A1", 12)] == ["B2", "B1"]


@pytest.mark.parametrize("others", [[], [tmf_bill("B1", "2026-02-01")]])
async def test_the_bill_before_an_unusable_one_is_not_called_the_latest(others: list[dict[str, Any]]) -> None:
    newest = tmf_bill("B3", taxIncludedAmount={"unit": "EUR", "value": 1})
    async with serve_answers("tmf678", tmf_answers(newest, *others)) as billing:
        with pytest.raises(Down, match="another currency"):
            await billing.list_bills("A1", 12)


@pytest.mark.parametrize(
    ("total", "remaining", "state", "shown"),
    [
        ("79.90", "0.004", "paid", "0.00"),
        ("79.90", "0.0049", "paid", "0.00"),
        ("79.90", "-5.00", "paid", "0"),
        ("79.90", "-0.001", "paid", "0"),
        ("34.99", "34.985", "due", "34.99"),
        ("-12.50", "-12.50", "credit", "-12.50"),
    ],
)
async def test_what_is_owed_is_rounded_and_never_below_nothing(
    total: str, remaining: str, state: str, shown: str
) -> None:
    rest = {"unit": "RON", "value": remaining}
    async with serve_answers(
        "tmf678", tmf_answers(tmf_bill("B1", total=total, remainingAmount=rest))
    ) as billing:
        [bill] = await billing.list_bills("A1", 1)
    assert (bill.state, bill.remaining) == (state, Decimal(shown))


async def test_kill_bills_overpaid_invoice_asks_for_nothing() -> None:
    async with serve_answers("killbill", killbill_answers(invoice(1, 79.9, -5.0))) as billing:
        [bill] = await billing.list_bills("A1", 1)
    assert (bill.state, bill.remaining) == ("paid", 0)


async def test_an_invoice_in_a_foreign_currency_is_refused_by_name() -> None:
    async with serve_answers("killbill", killbill_answers(invoice(1, currency="EUR"))) as billing:
        with pytest.raises(Down, match="another currency"):
            await billing.list_bills("A1", 1)


async def test_lines_come_to_the_total_when_a_credit_was_used() -> None:
    kinds = {"RECURRING": 79.9, "ITEM_ADJ": -19.9, "CBA_ADJ": -20.0, "TAX": 9.99}
    items = [{"itemType": kind, "amount": each, "invoiceItemId": kind} for kind, each in kinds.items()]
    async with serve_answers("killbill", killbill_answers(invoice(1, 69.99, 49.99, items=items))) as billing:
        lines = await billing.list_bill_lines("A1", "I1")
    assert sum(line.amount for line in lines) == Decimal("69.99")


async def test_rates_of_other_accounts_and_bills_are_left_out() -> None:
    def rate(name: str, amount: str, **owner: Any) -> dict[str, Any]:
        return {"id": name, "isBilled": True, "taxIncludedAmount": {"unit": "RON", "value": amount}, **owner}

    account, other = {"billingAccount": {"id": "A1"}}, {"billingAccount": {"id": "X"}}
    rates = [
        rate("1", "999", **other),
        rate("2", "79.90", **account),
        rate("3", "500"),
        rate("4", "1", bill={"id": "B2"}),
    ]
    async with serve_answers("tmf678", tmf_answers(tmf_bill("B1"), **{"BillingRate": rates})) as billing:
        assert [str(line.amount) for line in await billing.list_bill_lines("A1", "B1")] == ["79.90"]


async def test_ids_may_be_numbers_everywhere() -> None:
    bill = tmf_bill(4711, billingAccount={"id": 40740000101})
    rates = [{"id": 1, "bill": {"id": 4711}, "taxIncludedAmount": {"unit": "RON", "value": 79.9}}]
    product = {**PRODUCT, "id": 7, "billingAccount": {"id": 40740000101}}
    more = {"BillingRate": rates, "/product": [product], "/billingAccount/40740000101": {"id": 40740000101}}
    async with serve_answers("tmf678", tmf_answers(bill, **more)) as billing:
        account = (await billing.get_subscriber("+40740000101")).account
        [listed] = await billing.list_bills(account, 1)
        billing.invalidate_account(account)
        assert await billing.get_bill(account, listed.id) == listed
        assert len(await billing.list_bill_lines(account, listed.id)) == 1
        assert (await cycle_of(billing, *MARCH))[0] == ["79.90"]


@pytest.mark.parametrize(
    ("value", "year"),
    [("2026-03-10T07:00:00Z", 2026), ("yesterday", 9999), (1_773_126_000, 9999), ("", None), (None, None)],
)
async def test_a_sim_change_at_a_time_nobody_can_read_counts_as_one_just_now(
    value: Any, year: int | None
) -> None:
    product = {**PRODUCT, "productCharacteristic": [{"name": "simChangedAt", "value": value}]}
    async with serve_answers("tmf678", tmf_answers(**{"/product": [product]})) as billing:
        changed_at = (await billing.get_subscriber("+40740000101")).sim_changed_at
    assert (changed_at and changed_at.year) == year


async def test_an_answer_that_is_another_account_is_not_used() -> None:
    async with serve_answers("tmf678", tmf_answers(**{"/billingAccount/A1": {"id": "X"}})) as billing:
        for read in (billing.get_subscriber("+40740000101"), billing.set_media("A1", BillDestination("email"))):
            with pytest.raises(NotFound):
                await read


@pytest.mark.parametrize(
    ("kind", "answers"),
    [
        ("killbill", killbill_answers(invoice(99), invoice(100))),
        ("tmf678", tmf_answers(tmf_bill("99"), tmf_bill("100"))),
    ],
)
async def test_of_two_bills_of_a_day_the_higher_number_is_the_latest(
    kind: str, answers: dict[str, Any]
) -> None:
    async with serve_answers(kind, answers) as billing:
        assert [each.number for each in await billing.list_bills("A1", 2)] == ["100", "99"]
    assert natural_key("INV-9-a") < natural_key("INV-10-a") < natural_key("INV-10-b")


@pytest.mark.parametrize(
    ("currency", "rounded"), [("RON", "1.24"), ("TND", "1.235"), ("XOF", "1"), ("", "1.2350"), ("tnd", "1.235")]
)
def test_amounts_have_the_currencys_digits(currency: str, rounded: str) -> None:
    assert str(round_amount(Decimal("1.2350"), currency)) == rounded


def test_rounded_lines_still_add_up() -> None:

    lines = [BillLine("communications", "", Decimal("0.0375")) for _ in range(100)]
    rounded = CurrencyRule(rounding="RON").round_bill_lines(lines)
    assert sum(line.amount for line in rounded) == Decimal("3.75")
    assert {str(line.amount) for line in rounded} <= {"0.03", "0.04"}
