"""Adapter and demo BSS validated against the published TM Forum and Kill Bill schemas."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from flows.domain.bill_delivery import BillDestination
from flows.domain.failures import NotFound
from flows.domain.purchase_ports import ChargeBilling
from gateway.demo.bss.bss_servers import killbill_settings, tmf_settings
from gateway.demo.bss.killbill_server import KillBillBss
from gateway.demo.bss.tmf_resources import bill_event
from gateway.demo.bss.tmf_server import BILLS_PATH, TmfBss
from storage.billing._client.caching import CachedBilling
from storage.billing.backend import RemoteBilling, connect_backend
from storage.demo.extras import build_document_row
from storage.sql.engine import connect as opened
from tests.support.billing.backends import backend_site, build_book, charge_of, serve_bss_app
from tests.support.billing.killbill_schemas import KillBillInspector
from tests.support.billing.killbill_schemas import resource_errors as killbill_faults
from tests.support.billing.tmf_schemas import TmfInspector, schema_errors

ANA, PAPER = "+40740000101", "ORO-202603-0101"
DIALECTS = ("v4", "v5")

UNHURRIED = dict.fromkeys(("timeout_seconds", "connect_seconds"), 60)
"""To compare every body with a schema takes longer than a back end may on a busy machine."""


@asynccontextmanager
async def inspect_backend(dialect: str) -> AsyncIterator[tuple[RemoteBilling, TmfInspector, str]]:
    """Yield a backend connected to a demo BSS, and the inspector of their traffic."""
    inspector, kept = TmfInspector(dialect), build_book()
    kept.rows.documents.append(build_document_row("orange-ro", PAPER))
    async with serve_bss_app(inspector.attach_to(TmfBss(kept, dialect).create_app())) as url:
        options = {**tmf_settings(kept), "dialect": dialect, **UNHURRIED}
        there = backend_site(opened("sqlite://"), lambda: date(2026, 3, 10), options)
        billing = connect_backend(f"tmf678+{url}", there)
        assert isinstance(billing, CachedBilling)
        try:
            yield billing, inspector, f"{url}{BILLS_PATH}/{dialect}"
        finally:
            await billing.close()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_everything_exchanged_is_as_published(dialect: str) -> None:
    async with inspect_backend(dialect) as (billing, inspector, _):
        account = (await billing.get_subscriber(ANA)).account
        for bill in await billing.list_bills(account, 12):
            assert await billing.list_bill_lines(account, bill.id)
        assert await billing.list_entries(account, "usage", 5) and await billing.get_document(account, PAPER)
        assert await billing.set_media(account, BillDestination("email", "ana.noua@example.test"))
        assert await billing.set_postal_address(account, "Strada Lungă 12, Brașov")
        assert isinstance(billing, ChargeBilling)
        assert await billing.add_charge(charge_of(account)) and not await billing.add_charge(charge_of(account))
        with pytest.raises(NotFound):
            await billing.get_bill(account, "no-such-bill")
        [page async for page in billing.list_issued_bills(date(2026, 3, 1), date(2026, 3, 31))]
        await billing.register_callback("http://127.0.0.1:1/listener")  # type: ignore[attr-defined]
    assert not inspector.violations
    expected = {("GET", "customerBill", 200), ("GET", "customerBill", 404), ("PATCH", "billingAccount", 200)}
    expected |= {("GET", "usage", 200), ("POST", "usage", 201)}
    assert (
        expected | {("GET", "appliedCustomerBillingRate", 200), ("POST", "hub", 201)}
        <= inspector.inspected_calls
    )


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_demo_bss_itself_does_what_a_conformance_kit_asks(dialect: str) -> None:
    async with inspect_backend(dialect) as (_, _inspector, url), ClientSession() as session:
        bills = await get_json(session, f"{url}/customerBill?limit=100")
        name = bills[0]["id"]
        assert [bill["id"] for bill in await get_json(session, f"{url}/customerBill?id={name}")] == [name]
        assert (await get_json(session, f"{url}/customerBill/{name}?fields=state")).keys() == {
            "id",
            "href",
            "state",
            "@type",
        }
        assert len(await get_json(session, f"{url}/appliedCustomerBillingRate?isBilled=true&limit=3")) == 3
        unbilled = await get_json(session, f"{url}/appliedCustomerBillingRate?isBilled=false&limit=3")
        assert [("bill" in each, "billingAccount" in each) for each in unbilled] == [(False, True)] * 3
        assert (
            await send_json(session, "PATCH", f"{url}/customerBill/{name}", {"state": "onHold"}, dialect) == 200
        )
        assert await send_json(session, "POST", f"{url}/customerBillOnDemand", {"name": "x"}, dialect) == 201
        assert (
            await send_json(session, "PATCH", f"{url}/customerBill/none", {"state": "onHold"}, dialect) == 404
        )
        assert all(
            each["id"] and each["href"] for each in await get_json(session, f"{url}/customerBillOnDemand")
        )


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_what_the_demo_bss_tells_is_as_published(dialect: str) -> None:
    async with inspect_backend(dialect) as (_, inspector, url), ClientSession() as session:
        for resource in ("customerBill", "appliedCustomerBillingRate"):
            for each in await get_json(session, f"{url}/{resource}?limit=100"):
                await get_json(session, f"{url}/{resource}/{each['id']}")
    assert not inspector.violations


def test_events_are_as_published() -> None:
    bill = TmfBss(build_book(), "v5").list_bills()[0]
    told = bill_event("customerBillCreateEvent", bill, "v5")
    assert not schema_errors("tmf678-v5", "CustomerBillCreateEvent", told)


def test_the_published_files_do_find_faults() -> None:
    assert schema_errors("tmf678-v4", "CustomerBill", {"amountDue": {"value": "much"}})
    assert schema_errors("tmf678-v4", "CustomerBill", {"state": "lost"})


async def get_json(session: ClientSession, url: str) -> Any:
    async with session.get(url) as response:
        return await response.json()


async def send_json(session: ClientSession, method: str, url: str, body: dict[str, str], dialect: str) -> int:
    kind = {"@type": "CustomerBill" if method == "PATCH" else "CustomerBillOnDemand"} if dialect == "v5" else {}
    async with session.request(method, url, json={**body, **kind}) as response:
        return response.status


async def test_everything_exchanged_with_kill_bill_is_as_published() -> None:
    inspector, kept = KillBillInspector(), build_book()
    async with serve_bss_app(inspector.attach_to(KillBillBss(kept).create_app())) as url:
        there = backend_site(
            opened("sqlite://"), lambda: date(2026, 3, 10), killbill_settings(kept) | UNHURRIED
        )
        billing = connect_backend(f"killbill+{url}", there)
        assert isinstance(billing, CachedBilling)
        account = (await billing.get_subscriber(ANA)).account
        for bill in await billing.list_bills(account, 12):
            assert await billing.list_bill_lines(account, bill.id) and await billing.get_document(
                account, bill.id
            )
        for media in ("email", "paper", "email"):
            assert await billing.set_media(account, BillDestination(media, "ana.noua@example.test"))
        assert await billing.set_postal_address(account, "Strada Lungă 12, Brașov")
        for amount in ("1.80", "-1.80"):
            assert await billing.add_charge(charge_of(account, f"k{amount}", amount))
        with pytest.raises(NotFound):
            await billing.get_bill(account, "no-such-bill")
        [page async for page in billing.list_issued_bills(date(2026, 3, 1), date(2026, 3, 31))]
        await billing.close()
    assert not inspector.violations
    changed = {("POST /1.0/kb/accounts/{}/customFields", 201), ("PUT /1.0/kb/accounts/{}/customFields", 204)}
    changed |= {("PUT /1.0/kb/accounts/{}", 204), ("POST /1.0/kb/credits", 201)}
    changed.add(("POST /1.0/kb/invoices/charges/{}", 201))
    assert (
        changed | {("GET /1.0/kb/invoices/{}/html", 200), ("GET /1.0/kb/invoices/{}", 404)}
        <= inspector.inspected_calls
    )


def test_kill_bills_resources_do_find_faults() -> None:
    field = {"name": "presentationMedia", "value": "email"}
    assert not killbill_faults(["CustomField"], [field])
    for wrong in (
        {"name": "x"},
        {**field, "objectType": "PERSON"},
        {**field, "customFieldId": "7"},
        {**field, "x": 1},
    ):
        assert killbill_faults(["CustomField"], [wrong])
    assert killbill_faults("Invoice", {"amount": "79.90"}) and killbill_faults(
        "Invoice", {"invoiceDate": "1 March"}
    )


def test_the_licences_are_there() -> None:
    for folder in ("tmf678", "tmf666", "tmf635"):
        licence = Path(__file__).parents[2] / "standards" / folder / "LICENSE"
        assert "Apache License" in licence.read_text()
