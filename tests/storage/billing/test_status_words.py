"""Status words of payments: TMF676 leaves their choice and spelling to the BSS."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from flows.domain.account_activity import account_activity
from flows.domain.failures import NotEligible
from storage.billing.backend import RemoteBilling, connect_backend
from storage.sql.engine import connect as opened
from tests.storage.billing.test_imperfect_records import TODAY, serve_answers, tmf_bill
from tests.support.billing.backends import LONG_TIMEOUTS, backend_site, payment_of, serve_bss_app

NOTHING_BOOKED = ["Denied", "FAILED", "rejected", "Declined", "un-successful"]


@asynccontextmanager
async def serve_payments(listed: Sequence[dict[str, Any]], posted: dict[str, Any]) -> AsyncIterator[Any]:
    """Serve a list of payments, one bill and the answer to a post, and yield the backend."""

    async def answer(request: web.Request) -> web.Response:
        if request.method == "POST":
            return web.json_response(posted, status=201)
        is_payment = request.path.endswith("/payment")
        return web.json_response(list(listed) if is_payment else tmf_bill("B1"))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with serve_bss_app(app) as url:
        given = {"currency": "RON", "serves": ["payments"], **LONG_TIMEOUTS}
        billing = connect_backend(f"tmf678+{url}", backend_site(opened("sqlite://"), lambda: TODAY, given))
        assert isinstance(billing, RemoteBilling)
        yield billing
        await billing.close()


@pytest.mark.parametrize("word", NOTHING_BOOKED)
async def test_a_payment_the_bss_refuses_in_its_own_words_is_not_booked(word: str) -> None:
    async with serve_payments([], {"status": word}) as billing:
        payment = payment_of(await billing.get_bill("A1", "B1"))
        with pytest.raises(NotEligible):
            await billing.book_payment(payment)


async def test_F14_payments_refused_or_returned_are_not_in_the_history() -> None:
    words = [*NOTHING_BOOKED, "Reversed", "charged-back", "In Progress", "done"]
    found = [
        {
            "id": word,
            "account": {"id": "A1"},
            "correlatorId": word,
            "status": word,
            "paymentDate": "2026-03-01",
            "totalAmount": {"unit": "RON", "value": 5},
        }
        for word in words
    ]
    async with serve_answers("tmf678", {"/payment": found}, serves=["history"]) as billing:
        assert [each.key for each in await account_activity(billing).list_payments("A1", 20)] == ["done"]
