"""A BSS that is slow, down, wrong or hostile: what subscribers see and what is sent afterwards."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from aiohttp import web

from flows.domain.bill_delivery import BillDestination
from flows.domain.failures import Down, Failure, NotEligible, NotFound, NotPublished, Overloaded, Slow
from flows.domain.ports import Billing
from gateway.demo.bss.tmf_server import TmfBss
from gateway.dialogs.direct_line import DirectLine
from gateway.dialogs.format import Dialog
from storage.billing._client.caching import CachedBilling
from storage.billing.backend import connect_backend
from storage.sql.engine import connect as opened
from tests.support.billing.backends import (
    LONG_TIMEOUTS,
    BackendUnderTest,
    backend_site,
    build_book,
    open_backend,
    serve_bss_app,
)
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.system.test_dialogs_by_backend import open_with_backend

ANA, ACCOUNT, BILL = "+40740000101", "40740000101", "ORO-202603-0101"
TODAY = date(2026, 3, 10)


@pytest.fixture
async def tmf(tmp_path: Path) -> AsyncIterator[BackendUnderTest]:
    """Provide a TM Forum backend."""
    kept = build_book()
    async with open_backend("tmf678-v4", tmp_path, kept, lambda: TODAY, LONG_TIMEOUTS) as billing:
        yield BackendUnderTest("tmf678", billing, kept)


@pytest.fixture
async def impatient_backend(tmp_path: Path) -> AsyncIterator[BackendUnderTest]:
    """Provide a TM Forum backend with short timeouts, for a BSS that never answers."""
    kept = build_book()
    async with open_backend("tmf678-v4", tmp_path, kept, lambda: TODAY, {"timeout_seconds": 0.2}) as billing:
        yield BackendUnderTest("tmf678", billing, kept)
        kept.thaw()


def serve_response(response: Callable[[], web.StreamResponse]) -> Callable[[web.Request], web.StreamResponse]:
    return lambda request: response()


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (404, NotFound),
        (409, NotEligible),
        (422, NotEligible),
        (429, Overloaded),
        (400, Down),
        (401, Down),
        (302, Down),
        (500, Down),
        (503, Down),
    ],
)
async def test_every_http_status_maps_to_its_failure(
    tmf: BackendUnderTest, status: int, failure: type[Failure]
) -> None:
    tmf.book.override_response = serve_response(
        lambda: web.Response(status=status, headers={"Location": "/elsewhere"})
    )
    with pytest.raises(failure) as told:
        await tmf.billing.list_bills(ACCOUNT, 3)
    assert ACCOUNT not in str(told.value)


async def test_no_redirect_is_followed(tmf: BackendUnderTest) -> None:
    tmf.book.override_response = serve_response(
        lambda: web.Response(status=307, headers={"Location": "/elsewhere"})
    )
    with pytest.raises(Down):
        await tmf.billing.get_subscriber(ANA)
    assert {path for _, path in tmf.book.requests} == {"/tmf-api/productInventory/v4/product"}


async def test_a_read_is_retried_once_on_a_gateway_error(tmf: BackendUnderTest) -> None:
    away = iter([web.Response(status=503)])
    tmf.book.override_response = lambda request: next(away, None)
    assert len(await tmf.billing.list_bills(ACCOUNT, 3)) == 3


@pytest.mark.parametrize(
    "body",
    ["", "<html>", "[", "NaN", "{}", '"x"', "[" * 20_000, "[1e400]", "9" * 5000, "\x00", "[" + " " * 3_000_000],
)
async def test_what_is_no_list_of_bills_is_never_shown(tmf: BackendUnderTest, body: str) -> None:
    tmf.book.override_response = serve_response(
        lambda: web.Response(text=body, content_type="application/json")
    )
    try:
        assert await tmf.billing.list_bills(ACCOUNT, 3) == []
    except Failure as failure:
        assert isinstance(failure, Down)


async def test_five_timeouts_open_the_circuit_and_then_nothing_waits(
    impatient_backend: BackendUnderTest,
) -> None:
    impatient_backend.book.freeze()
    for name in "abcde":
        with pytest.raises(Slow):
            await impatient_backend.billing.list_bills(name, 1)
    asked = len(impatient_backend.book.requests)
    with pytest.raises(Down):
        await impatient_backend.billing.list_bills("f", 1)
    assert len(impatient_backend.book.requests) == asked


async def test_a_session_reads_billing_once(tmf: BackendUnderTest) -> None:
    latest, *_ = await tmf.billing.list_bills(ACCOUNT, 2)
    await tmf.billing.list_bills(ACCOUNT, 7)
    assert await tmf.billing.get_bill(ACCOUNT, latest.id) == latest
    assert len(tmf.book.requests) == 1


async def test_concurrent_reads_of_one_account_are_coalesced(tmf: BackendUnderTest) -> None:
    await asyncio.gather(*(tmf.billing.list_bills(ACCOUNT, 6) for _ in range(20)))
    assert len(tmf.book.requests) == 1


async def test_a_write_invalidates_the_cache(tmf: BackendUnderTest) -> None:
    assert (await tmf.billing.get_media(ACCOUNT)).media == "paper"
    assert await tmf.billing.set_media(ACCOUNT, BillDestination("email"))
    assert (await tmf.billing.get_media(ACCOUNT)).media == "email"


async def test_F31_when_billing_is_down_the_last_answer_is_shown_with_its_day(tmf: BackendUnderTest) -> None:
    assert isinstance(tmf.billing, CachedBilling)
    before = await tmf.billing.list_bills(ACCOUNT, 2)
    tmf.book.override_response = serve_response(lambda: web.Response(status=500))
    tmf.billing.fresh_seconds = 0.0
    after = await tmf.billing.list_bills(ACCOUNT, 2)
    assert [bill.as_of for bill in before] == [None, None] and {bill.as_of for bill in after} == {TODAY}
    assert (await tmf.billing.get_bill(ACCOUNT, before[1].id)).as_of == TODAY
    with pytest.raises(Down):
        await tmf.billing.get_media(ACCOUNT)


@pytest.mark.parametrize(
    ("field", "value", "state"),
    [
        ("state", "sent", "due"),
        ("state", "partiallyPaid", "due"),
        ("state", "settled", "paid"),
        ("category", "credit note", "credit"),
        ("paymentDueDate", "2026-03-09", "overdue"),
        ("paymentDueDate", "2026-03-09T22:30:00Z", "due"),
        ("remainingAmount", {"unit": "RON", "value": 9.9}, "part"),
        ("remainingAmount", {"unit": "RON", "value": 0}, "paid"),
    ],
)
async def test_a_bills_state_follows_the_status_table(
    tmf: BackendUnderTest, field: str, value: object, state: str
) -> None:
    bill_with_field(tmf, field, value)
    assert (await tmf.billing.get_bill(ACCOUNT, BILL)).state == state


@pytest.mark.parametrize("state", ["new", "onHold", "validated", "lost", "", None, 7])
async def test_a_bill_in_preparation_is_not_published(tmf: BackendUnderTest, state: object) -> None:
    bill_with_field(tmf, "state", state)
    with pytest.raises(NotPublished):
        await tmf.billing.get_bill(ACCOUNT, BILL)


async def test_a_credit_notes_sign_comes_from_its_category(tmf: BackendUnderTest) -> None:
    bill_with_field(tmf, "category", "credit note")
    assert (await tmf.billing.get_bill(ACCOUNT, BILL)).total == Decimal("-79.9")


async def test_another_currency_is_refused(tmf: BackendUnderTest) -> None:
    bill_with_field(tmf, "taxIncludedAmount", {"unit": "EUR", "value": 1})
    with pytest.raises(Down):
        await tmf.billing.get_bill(ACCOUNT, BILL)


def bill_with_field(backend: BackendUnderTest, field: str, value: object) -> None:
    """Fetch one bill by its id from a BSS that returns one field changed."""
    bill = {
        "id": BILL,
        "state": "sent",
        "billDate": "2026-03-01",
        "paymentDueDate": "2026-03-15",
        "taxIncludedAmount": {"unit": "RON", "value": 79.9},
        "billingAccount": {"id": ACCOUNT},
        field: value,
    }
    backend.book.override_response = serve_response(lambda: web.json_response(bill))


async def test_an_oauth_token_is_cached_and_refreshed_when_refused() -> None:
    kept = build_book()
    bss = TmfBss(kept, client_id="us", client_secret="ours")
    async with serve_bss_app(bss.create_app()) as url:
        options = {"token_url": f"{url}/token", "client_id": "us", "client_secret": "ours"}
        billing = connect_backend(f"tmf678+{url}", backend_site(opened("sqlite://"), lambda: TODAY, options))
        await billing.list_bills(ACCOUNT, 1)
        bss.tokens.clear()
        await billing.get_subscriber(ANA)
        await close_billing(billing)
    assert [path for _, path in kept.requests].count("/token") == 2


async def close_billing(billing: Billing) -> None:
    assert isinstance(billing, CachedBilling)
    await billing.close()


@pytest.mark.parametrize(
    ("where", "options", "named"),
    [
        ("tmf678+ftp://x", {}, "address"),
        ("tmf678+https://user:pw@x", {}, "address"),
        ("tmf678+https://x", {"dialect": "v3"}, "bss.dialect"),
        ("tmf678+https://x", {"tokenurl": "x"}, "bss.tokenurl"),
        ("tmf678+https://x", {"token_url": "https://y"}, "bss.client_id"),
        ("tmf678+https://x", {"timeout_seconds": "soon"}, "bss.timeout_seconds"),
        ("tmf678+https://x", {"cert_file": "/nowhere"}, "bss.cert_file"),
        ("killbill+https://x", {}, "bss.api_key"),
        ("mapped", {"subscribers": {"table": "t"}, "bills": {}}, "bss.subscribers.id"),
    ],
)
def test_a_wrong_setting_is_named_and_not_repeated(where: str, options: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named) as told:
        connect_backend(where, backend_site(opened("sqlite://"), lambda: TODAY, options))
    assert "pw" not in str(told.value) and "soon" not in str(told.value)


EMPTY_DIALOG = Dialog("faults", (), ())


async def dial_and_press(line: DirectLine, *keys: str) -> list[str]:
    """Dial, press keys and return the lines of the last screen."""
    shown = await line.dial(ANA, "*100#")
    for key in keys:
        shown = await line.press(key)
    return [*shown.lines, *(["= end"] if shown.ends else [])]


START_AGAIN = ("2",)
"""The answer to the offer to continue the session before."""


async def test_F31_down_is_the_last_answer_with_its_day_or_an_honest_word(
    sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    async with open_with_backend("tmf678-v4", sandboxes, EMPTY_DIALOG, tmp_path) as (sandbox, bss):
        line = sandbox.direct_line()
        before = await dial_and_press(line, "1", "1", "1")
        bss.override_response = serve_response(lambda: web.Response(status=500))
        expire_cache(sandbox.faulty_billing.inner)
        after = await dial_and_press(line, *START_AGAIN, "1", "1", "1")
        honest = await dial_and_press(line, *START_AGAIN, "1", "1", "3", "1")
    assert after[0] == "La data de 10.03.2026:" and after[1 : len(before) - 2] == before[: len(before) - 3]
    assert "nu raspunde" in honest[0]


def expire_cache(billing: Billing) -> None:
    """Let every cached answer expire."""
    assert isinstance(billing, CachedBilling)
    billing.fresh_seconds = 0.0
