"""A BSS that is slow, down, wrong or hostile: what subscribers see and what is sent afterwards."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from aiohttp import web

from flows.domain.failures import Down, Failure, NotEligible, NotFound, NotPublished, Overloaded, Slow
from flows.domain.ports import Billing
from gateway.demo.bss.tmf import TmfBss
from gateway.dialogs.direct_line import Direct
from gateway.dialogs.format import Dialog
from storage.billing._client.breaker import Breaker
from storage.billing._client.caching import Kept
from storage.billing.backend import connect
from storage.sql.engine import connect as opened
from tests.bss import UNHURRIED, Backend, behind, book, served, site
from tests.test_billing_dialogs import world_behind
from tests.world import Worlds
from tests.world import sandboxes as sandboxes

ANA, ACCOUNT, BILL = "+40740000101", "40740000101", "ORO-202603-0101"
TODAY = date(2026, 3, 10)


@pytest.fixture
async def tmf(tmp_path: Path) -> AsyncIterator[Backend]:
    """Provide a TM Forum backend."""
    kept = book()
    async with behind("tmf678-v4", tmp_path, kept, lambda: TODAY, UNHURRIED) as billing:
        yield Backend("tmf678", billing, kept)


@pytest.fixture
async def impatient_backend(tmp_path: Path) -> AsyncIterator[Backend]:
    """Provide a TM Forum backend with short timeouts, for a BSS that never answers."""
    kept = book()
    async with behind("tmf678-v4", tmp_path, kept, lambda: TODAY, {"timeout_seconds": 0.2}) as billing:
        yield Backend("tmf678", billing, kept)
        kept.thaw()


def answering(response: Callable[[], web.StreamResponse]) -> Callable[[web.Request], web.StreamResponse]:
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
async def test_every_http_status_maps_to_its_failure(tmf: Backend, status: int, failure: type[Failure]) -> None:
    tmf.book.answer = answering(lambda: web.Response(status=status, headers={"Location": "/elsewhere"}))
    with pytest.raises(failure) as told:
        await tmf.billing.bills(ACCOUNT, 3)
    assert ACCOUNT not in str(told.value)


async def test_no_redirect_is_followed(tmf: Backend) -> None:
    tmf.book.answer = answering(lambda: web.Response(status=307, headers={"Location": "/elsewhere"}))
    with pytest.raises(Down):
        await tmf.billing.subscriber(ANA)
    assert {path for _, path in tmf.book.asked} == {"/tmf-api/productInventory/v4/product"}


async def test_a_read_is_retried_once_on_a_gateway_error(tmf: Backend) -> None:
    away = iter([web.Response(status=503)])
    tmf.book.answer = lambda request: next(away, None)
    assert len(await tmf.billing.bills(ACCOUNT, 3)) == 3


@pytest.mark.parametrize(
    "body",
    ["", "<html>", "[", "NaN", "{}", '"x"', "[" * 20_000, "[1e400]", "9" * 5000, "\x00", "[" + " " * 3_000_000],
)
async def test_what_is_no_list_of_bills_is_never_shown(tmf: Backend, body: str) -> None:
    tmf.book.answer = answering(lambda: web.Response(text=body, content_type="application/json"))
    try:
        assert await tmf.billing.bills(ACCOUNT, 3) == []
    except Failure as failure:
        assert isinstance(failure, Down)


async def test_a_frozen_bss_is_slow_then_skipped_then_probed() -> None:
    clock = iter(itertools.count(0.0, 0.5)).__next__
    breaker = Breaker(failures=2)
    breaker.broke(clock())
    assert breaker.admits(clock())
    breaker.broke(clock())
    assert not breaker.admits(2.0) and breaker.admits(6.5) and not breaker.admits(6.5)
    breaker.broke(7.0)
    assert not breaker.admits(16.0) and breaker.admits(17.0)
    breaker.worked()
    assert breaker.admits(17.0)


def test_calls_in_flight_when_the_circuit_opens_do_not_extend_its_first_pause() -> None:
    breaker = Breaker()
    for _ in range(20):
        breaker.broke(0.0)
    assert not breaker.admits(4.9) and breaker.admits(5.0)


async def test_five_timeouts_open_the_circuit_and_then_nothing_waits(impatient_backend: Backend) -> None:
    impatient_backend.book.freeze()
    for name in "abcde":
        with pytest.raises(Slow):
            await impatient_backend.billing.bills(name, 1)
    asked = len(impatient_backend.book.asked)
    with pytest.raises(Down):
        await impatient_backend.billing.bills("f", 1)
    assert len(impatient_backend.book.asked) == asked


async def test_a_session_reads_billing_once(tmf: Backend) -> None:
    latest, *_ = await tmf.billing.bills(ACCOUNT, 2)
    await tmf.billing.bills(ACCOUNT, 7)
    assert await tmf.billing.bill(ACCOUNT, latest.id) == latest
    assert len(tmf.book.asked) == 1


async def test_concurrent_reads_of_one_account_are_coalesced(tmf: Backend) -> None:
    await asyncio.gather(*(tmf.billing.bills(ACCOUNT, 6) for _ in range(20)))
    assert len(tmf.book.asked) == 1


async def test_a_write_invalidates_the_cache(tmf: Backend) -> None:
    assert await tmf.billing.media(ACCOUNT) == "paper"
    assert await tmf.billing.set_media(ACCOUNT, "email")
    assert await tmf.billing.media(ACCOUNT) == "email"


async def test_F31_when_billing_is_down_the_last_answer_is_shown_with_its_day(tmf: Backend) -> None:
    assert isinstance(tmf.billing, Kept)
    before = await tmf.billing.bills(ACCOUNT, 2)
    tmf.book.answer = answering(lambda: web.Response(status=500))
    tmf.billing.fresh_seconds = 0.0
    after = await tmf.billing.bills(ACCOUNT, 2)
    assert [bill.seen for bill in before] == [None, None] and {bill.seen for bill in after} == {TODAY}
    assert (await tmf.billing.bill(ACCOUNT, before[1].id)).seen == TODAY
    with pytest.raises(Down):
        await tmf.billing.media(ACCOUNT)


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
    tmf: Backend, field: str, value: object, state: str
) -> None:
    changed(tmf, field, value)
    assert (await tmf.billing.bill(ACCOUNT, BILL)).state == state


@pytest.mark.parametrize("state", ["new", "onHold", "validated", "lost", "", None, 7])
async def test_a_bill_in_preparation_is_not_published(tmf: Backend, state: object) -> None:
    changed(tmf, "state", state)
    with pytest.raises(NotPublished):
        await tmf.billing.bill(ACCOUNT, BILL)


async def test_a_credit_notes_sign_comes_from_its_category(tmf: Backend) -> None:
    changed(tmf, "category", "credit note")
    assert (await tmf.billing.bill(ACCOUNT, BILL)).total == Decimal("-79.9")


async def test_another_currency_is_refused(tmf: Backend) -> None:
    changed(tmf, "taxIncludedAmount", {"unit": "EUR", "value": 1})
    with pytest.raises(Down):
        await tmf.billing.bill(ACCOUNT, BILL)


def changed(backend: Backend, field: str, value: object) -> None:
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
    backend.book.answer = answering(lambda: web.json_response(bill))


async def test_an_oauth_token_is_cached_and_refreshed_when_refused() -> None:
    kept = book()
    bss = TmfBss(kept, client="us", secret="ours")
    async with served(bss.app()) as url:
        options = {"token_url": f"{url}/token", "client_id": "us", "client_secret": "ours"}
        billing = connect(f"tmf678+{url}", site(opened("sqlite://"), lambda: TODAY, options))
        await billing.bills(ACCOUNT, 1)
        bss.tokens.clear()
        await billing.subscriber(ANA)
        await closed(billing)
    assert [path for _, path in kept.asked].count("/token") == 2


async def closed(billing: Billing) -> None:
    assert isinstance(billing, Kept)
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
        connect(where, site(opened("sqlite://"), lambda: TODAY, options))
    assert "pw" not in str(told.value) and "soon" not in str(told.value)


SCENE = Dialog("faults", (), ())


async def pressed(line: Direct, *keys: str) -> list[str]:
    """Dial, press keys and return the lines of the last screen."""
    shown = await line.dial(ANA, "*100#")
    for key in keys:
        shown = await line.press(key)
    return [*shown.lines, *(["= end"] if shown.ends else [])]


async def test_F31_down_is_the_last_answer_with_its_day_or_an_honest_word(
    sandboxes: Worlds, tmp_path: Path
) -> None:
    async with world_behind("tmf678-v4", sandboxes, SCENE, tmp_path) as (sandbox, bss):
        line = sandbox.direct()
        before = await pressed(line, "1", "1", "1")
        bss.answer = answering(lambda: web.Response(status=500))
        stale(sandbox.weather.inner)
        after = await pressed(line, "1", "1", "1")
        honest = await pressed(line, "1", "1", "3", "1")
    assert after[0] == "La data de 10.03.2026:" and after[1 : len(before) - 2] == before[: len(before) - 3]
    assert "nu raspunde" in honest[0]


def stale(billing: Billing) -> None:
    """Let every cached answer expire."""
    assert isinstance(billing, Kept)
    billing.fresh_seconds = 0.0
