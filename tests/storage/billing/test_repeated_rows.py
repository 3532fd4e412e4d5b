"""Rows that a BSS lists twice, as a join of its tables does, are shown and counted once."""

from decimal import Decimal

from tests.storage.billing.test_imperfect_records import MARCH, invoice, serve_answers, tmf_answers, tmf_bill

RATE = {
    "bill": {"id": "B1"},
    "billingAccount": {"id": "A1"},
    "taxIncludedAmount": {"unit": "RON", "value": 10},
    "type": "recurring",
}


async def test_a_bill_listed_twice_is_one_bill() -> None:
    bills = [tmf_bill("B1"), tmf_bill("B1"), tmf_bill("B0", "2026-02-01")]
    async with serve_answers("tmf678", tmf_answers(*bills)) as billing:
        assert [each.id for each in await billing.list_bills("A1", 9)] == ["B1", "B0"]
        pages = [[bill.id for bill, _ in page] async for page in billing.list_issued_bills(*MARCH)]
    assert pages == [["B1"]]


async def test_an_invoice_listed_twice_is_one_bill() -> None:
    async with serve_answers("killbill", {"/A1/invoices": [invoice(1), invoice(1), invoice(2)]}) as billing:
        assert [each.id for each in await billing.list_bills("A1", 9)] == ["I2", "I1"]


async def test_a_rate_listed_twice_counts_once_and_equal_charges_without_an_id_count_each() -> None:
    rates = [{"id": "R1", **RATE}, {"id": "R1", **RATE}, RATE, RATE]
    answers = tmf_answers(tmf_bill("B1", total=30), **{"/appliedCustomerBillingRate": rates})
    async with serve_answers("tmf678", answers) as billing:
        lines = await billing.list_bill_lines("A1", "B1")
    assert [each.amount for each in lines] == [Decimal(10)] * 3
