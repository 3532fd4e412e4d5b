"""TM Forum's published files: what adapter and demo BSS say to each other is what they describe."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from flows.failures import NotFound
from gateway.demo_bss.tmf import BILLS, TmfBss
from gateway.demo_bss.tmf_resources import event
from storage.billing import Remote, connect
from storage.billing._kept import Kept
from storage.sql.engine import connect as opened
from tests.bss import book, served, site
from tests.published import Inspector, faults

ANA = "+40740000101"
DIALECTS = ("v4", "v5")


@asynccontextmanager
async def watched(dialect: str) -> AsyncIterator[tuple[Remote, Inspector, str]]:
    """An adapter and a BSS, and who reads along."""
    inspector = Inspector(dialect)
    async with served(inspector.over(TmfBss(book(), dialect).app())) as url:
        there = site(opened("sqlite://"), lambda: date(2026, 3, 10), {"dialect": dialect})
        billing = connect(f"tmf678+{url}", there)
        assert isinstance(billing, Kept)
        try:
            yield billing, inspector, f"{url}{BILLS}/{dialect}"
        finally:
            await billing.close()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_everything_exchanged_is_as_published(dialect: str) -> None:
    async with watched(dialect) as (billing, inspector, _):
        account = (await billing.subscriber(ANA)).account
        for bill in await billing.bills(account, 12):
            assert await billing.lines(account, bill.id)
        assert await billing.set_media(account, "email")
        with pytest.raises(NotFound):
            await billing.bill(account, "no-such-bill")
        [page async for page in billing.issued(date(2026, 3, 1), date(2026, 3, 31))]
        await billing.listen("http://127.0.0.1:1/listener")  # type: ignore[attr-defined]
    assert not inspector.wrong
    expected = {("GET", "customerBill", 200), ("GET", "customerBill", 404), ("PATCH", "billingAccount", 200)}
    assert expected | {("GET", "appliedCustomerBillingRate", 200), ("POST", "hub", 201)} <= inspector.seen


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_demo_bss_itself_does_what_a_conformance_kit_asks(dialect: str) -> None:
    async with watched(dialect) as (_, _inspector, url), ClientSession() as session:
        bills = await got(session, f"{url}/customerBill?limit=100")
        name = bills[0]["id"]
        assert [bill["id"] for bill in await got(session, f"{url}/customerBill?id={name}")] == [name]
        assert (await got(session, f"{url}/customerBill/{name}?fields=state")).keys() == {
            "id",
            "href",
            "state",
            "@type",
        }
        assert len(await got(session, f"{url}/appliedCustomerBillingRate?isBilled=true&limit=3")) == 3
        assert await got(session, f"{url}/appliedCustomerBillingRate?isBilled=false") == []
        assert await sent(session, "PATCH", f"{url}/customerBill/{name}", {"state": "onHold"}, dialect) == 200
        assert await sent(session, "POST", f"{url}/customerBillOnDemand", {"name": "x"}, dialect) == 201
        assert await sent(session, "PATCH", f"{url}/customerBill/none", {"state": "onHold"}, dialect) == 404
        assert all(each["id"] and each["href"] for each in await got(session, f"{url}/customerBillOnDemand"))


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_what_the_demo_bss_tells_is_as_published(dialect: str) -> None:
    async with watched(dialect) as (_, inspector, url), ClientSession() as session:
        for resource in ("customerBill", "appliedCustomerBillingRate"):
            for each in await got(session, f"{url}/{resource}?limit=100"):
                await got(session, f"{url}/{resource}/{each['id']}")
    assert not inspector.wrong


def test_events_are_as_published() -> None:
    bill = TmfBss(book(), "v5").bills()[0]
    told = event("customerBillCreateEvent", bill, "v5")
    assert not faults("tmf678-v5", "CustomerBillCreateEvent", told)


def test_the_published_files_do_find_faults() -> None:
    assert faults("tmf678-v4", "CustomerBill", {"amountDue": {"value": "much"}})
    assert faults("tmf678-v4", "CustomerBill", {"state": "lost"})


async def got(session: ClientSession, url: str) -> Any:
    async with session.get(url) as response:
        return await response.json()


async def sent(session: ClientSession, method: str, url: str, body: dict[str, str], dialect: str) -> int:
    kind = {"@type": "CustomerBill" if method == "PATCH" else "CustomerBillOnDemand"} if dialect == "v5" else {}
    async with session.request(method, url, json={**body, **kind}) as response:
        return response.status


def test_the_licences_are_there() -> None:
    for folder in ("tmf678", "tmf666"):
        licence = Path(__file__).parent / "standards" / folder / "LICENSE"
        assert "Apache License" in licence.read_text()
