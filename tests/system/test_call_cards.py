"""Paying by card in a call over Twilio: TwiML `<Pay>`, its signed result, and what is never there."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from aiohttp import ClientSession
from twilio.request_validator import RequestValidator

from flows.domain.payment_records import PaymentIntent, PaymentReport
from flows.payments.following import PaymentFollower
from flows.payments.opening import PaymentOpening
from flows.payments.payment_link import LinkedBill
from gateway.http.listening import serve_app
from gateway.server.app import public_app
from tests.support.free_ports import free_port
from tests.support.gateway_sandbox import AUTH_TOKEN, OPERATOR, GatewaySandbox, SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.payment_commands import run_payments

ANA = "+40740000101"
CARD_FIELDS = {
    "PaymentCardNumber": "xxxxxxxxxxxx4242",
    "PaymentCardType": "visa-of-the-test",
    "ExpirationDate": "1229",
    "SecurityCode": "xxx",
    "PaymentCardPostalCode": "010203",
    "ProfileId": "cus_of_the_test",
}
"""What Twilio tells of a card besides the result: nothing of it may be kept."""
PAID = CARD_FIELDS | {"Result": "success", "PaymentConfirmationCode": "ch_1"}
UNPAID = {"Result": "payment-connector-error", "PaymentError": "card is declined"}
HUNG_UP = {"Result": "caller-hung-up"}


@dataclass
class CardCall:
    """Calls over Twilio's webhooks, and every side of their payment."""

    sandbox: GatewaySandbox
    client: ClientSession
    url: str
    received: list[str] = field(default_factory=list)
    count: int = 0

    async def post(self, path: str, fields: Mapping[str, str]) -> tuple[int, str]:
        """Post a webhook with Twilio's signature; return status and body."""
        form = {"CallSid": f"CA{self.count}", "AccountSid": "AC1", "From": ANA, "To": "411", **fields}
        signature = RequestValidator(AUTH_TOKEN).compute_signature(self.url + path, form)
        headers = {"X-Twilio-Signature": signature}
        async with self.client.post(self.url + path, data=form, headers=headers) as answer:
            return answer.status, await answer.text()

    async def call(self, *keys: str) -> str:
        """Call and press keys; return the TwiML of the last answer."""
        self.count += 1
        _, said = await self.post(f"/hooks/{OPERATOR}/twilio/voice", {"CallStatus": "ringing"})
        for key in keys:
            _, said = await self.post(self.address(said), {"CallStatus": "in-progress", "Digits": key})
        return said

    def address(self, twiml: str) -> str:
        """Return path and query that the TwiML's action names."""
        (action,) = re.findall(r' action="([^"]+)"', twiml)
        return unescape(action).removeprefix(self.url)

    async def wait(self, **time: float) -> None:
        self.sandbox.clock.advance(timedelta(**time))
        self.received += [each.body for each in await self.sandbox.messages.collect_new()]

    async def intents(self) -> list[PaymentIntent]:
        store = self.sandbox.container.operators[OPERATOR].intents
        assert store
        return [*await store.list_intents(OPERATOR, (), datetime(2020, 1, 1, tzinfo=UTC), 100)]

    async def states(self) -> list[str]:
        return [each.state for each in await self.intents()]

    async def remaining(self) -> Decimal:
        billing = self.sandbox.container.operators[OPERATOR].billing
        return (await billing.list_bills((await billing.get_subscriber(ANA)).account, 1))[0].remaining


@asynccontextmanager
async def open_call(sandboxes: SandboxFactory, **twilio: Any) -> AsyncIterator[CardCall]:
    url = f"http://127.0.0.1:{(port := free_port())}"
    more = {"public_url": url, "operators": {OPERATOR: {"twilio": twilio}}}
    async with sandboxes.open("2026-03-10 09:00", {"voice": "line"}, more=more) as sandbox:
        async with serve_app(public_app(sandbox.container), "127.0.0.1", port), ClientSession() as client:
            yield CardCall(sandbox, client, url)


@pytest.fixture
async def call(sandboxes: SandboxFactory) -> AsyncIterator[CardCall]:
    async with open_call(sandboxes, pay_connector="shop") as opened:
        yield opened


async def test_F8_a_bill_is_paid_by_card_in_the_call(call: CardCall, caplog: pytest.LogCaptureFixture) -> None:
    assert "cardul în acest apel" in await call.call("1", "6")
    twiml = await call.call("1", "6", "5")
    for attribute in (
        'chargeAmount="79.90"',
        'currency="ron"',
        'paymentConnector="shop"',
        'postalCode="false"',
    ):
        assert attribute in twiml
    assert twiml.count("<Pay ") == 1 and "<Gather" not in twiml and await call.states() == ["pending"]
    status, said = await call.post(call.address(twiml), PAID)
    assert status == 200 and "<Hangup" in said and "<Say" in said
    await call.wait(minutes=1)
    (intent,) = await call.intents()
    assert (intent.state, intent.reference) == ("booked", "ch_1") and await call.remaining() == 0
    assert len([each for each in call.received if "am primit" in each and "79,90" in each]) == 1
    everything = f"{caplog.text} {[vars(each) for each in caplog.records]} {intent} {call.received}"
    assert not [value for value in CARD_FIELDS.values() if len(value) > 4 and value in everything]


@pytest.mark.parametrize("result", [UNPAID, HUNG_UP, {"Result": "validation-error"}])
async def test_a_card_that_is_not_charged_is_told_and_can_be_tried_again(
    call: CardCall, result: Mapping[str, str]
) -> None:
    await call.post(call.address(await call.call("1", "6", "5")), result)
    await call.wait(minutes=1)
    assert await call.states() == ["failed"] and await call.remaining() > 0
    assert len([each for each in call.received if "nu a reu" in each]) == 1
    await call.post(call.address(await call.call("1", "6", "5")), PAID)
    await call.wait(minutes=1)
    assert await call.states() == ["booked", "failed"]


@pytest.mark.parametrize("results", [[PAID, PAID, PAID], [UNPAID, PAID], [PAID, UNPAID, HUNG_UP]])
async def test_results_again_and_in_any_order_book_once(
    call: CardCall, results: list[Mapping[str, str]]
) -> None:
    address = call.address(await call.call("1", "6", "5"))
    for result in results:
        await call.post(address, result)
    await call.wait(minutes=1)
    await call.post(address, results[-1])
    await call.wait(minutes=1)
    assert await call.states() == ["booked"] and await call.remaining() == 0
    assert len([each for each in call.received if "am primit" in each]) == 1


@pytest.mark.parametrize(
    ("old", "new", "more"),
    [
        ("amount=79.90", "amount=1.00", {}),
        ("currency=RON", "currency=EUR", {}),
        ("", "", {"ChargeAmount": "7.99"}),
    ],
)
async def test_another_amount_is_never_booked_even_where_it_is_signed(
    call: CardCall, old: str, new: str, more: dict[str, str]
) -> None:
    address = call.address(await call.call("1", "6", "5")).replace(old, new)
    await call.post(address, PAID | more)
    await call.wait(minutes=1)
    assert await call.states() == ["unknown"] and await call.remaining() > 0
    assert len([each for each in call.received if "verific" in each]) == 1


async def test_a_difference_that_two_checks_find_at_once_is_logged_once(
    call: CardCall, caplog: pytest.LogCaptureFixture
) -> None:
    address = call.address(await call.call("1", "6", "5"))
    (pending,) = await call.intents()
    await call.post(address, PAID | {"ChargeAmount": "7.99"})
    follower = PaymentFollower(call.sandbox.menu, call.sandbox.container.operators[OPERATOR])
    report = PaymentReport("paid", pending.id, "ch_1", Decimal("7.99"), pending.currency)
    await follower.apply_report(pending, report)
    await call.wait(minutes=1)
    assert caplog.messages.count("payments.mismatch") == 1
    assert len([each for each in call.received if "verific" in each]) == 1


async def test_a_card_is_not_given_back_by_the_command_which_says_where(
    call: CardCall, capsys: pytest.CaptureFixture[str]
) -> None:
    await call.post(call.address(await call.call("1", "6", "5")), PAID | {"ChargeAmount": "7.99"})
    (intent,) = await call.intents()
    container = call.sandbox.container
    assert await run_payments(container, OPERATOR, "refund", payment=intent.id[:12], yes=True) == 1
    assert "account of the Pay connector's processor" in capsys.readouterr().err
    await call.wait(minutes=1)
    assert await call.states() == ["unknown"]


async def test_money_without_a_confirmation_code_is_left_to_people(call: CardCall) -> None:
    await call.post(call.address(await call.call("1", "6", "5")), {"Result": "success"})
    await call.wait(minutes=1)
    assert await call.states() == ["unknown"]


async def test_a_result_that_twilio_has_not_signed_changes_nothing(call: CardCall) -> None:
    address = call.address(await call.call("1", "6", "5"))
    async with call.client.post(call.url + address, data={"CallSid": "CA1", "From": ANA, **PAID}) as answer:
        assert answer.status in (401, 403)
    status, _ = await call.post(re.sub(r"payment=\w+", f"payment={'0' * 32}", address), PAID)
    assert status == 401 and await call.states() == ["pending"]


async def test_a_result_that_never_comes_is_looked_at_by_a_person(call: CardCall) -> None:
    address = call.address(await call.call("1", "6", "5"))
    assert "este în curs" in await call.call("1", "6"), "no second card while the first may be charged"
    await call.wait(minutes=30)
    assert await call.states() == ["pending"]
    await call.wait(minutes=31)
    (intent,) = await call.intents()
    assert (intent.state, intent.reason) == ("unknown", "unheard")
    await call.post(address, PAID)
    await call.wait(minutes=1)
    assert await call.states() == ["booked"]


async def test_a_card_that_was_not_charged_is_said_to_have_failed_by_a_person_and_the_bill_can_be_paid(
    call: CardCall,
) -> None:
    await call.call("1", "6", "5")
    await call.wait(minutes=61)
    (intent,) = await call.intents()
    told = {"payment": intent.id, "yes": True, "tells_payer": True}
    values = {"state": "failed", "amount": "0", "staff": "i.pop", "note": "no charge in the account", **told}
    assert await run_payments(call.sandbox.container, OPERATOR, "resolve", **values) == 0
    await call.wait(minutes=1)
    assert await call.states() == ["failed"] and "nu a reusit" in call.received[-1]
    assert "<Pay" in await call.call("1", "6", "5")


async def test_without_a_connector_pay_is_in_no_twiml(sandboxes: SandboxFactory) -> None:
    async with open_call(sandboxes) as call:
        heard = [await call.call("1", "6"), await call.call("1", "6", "5"), await call.call("1", "6", "1")]
        status, _ = await call.post(f"/hooks/{OPERATOR}/twilio/pay?payment=1&amount=1&currency=RON", PAID)
        assert not [each for each in heard if "<Pay" in each or "cardul în acest" in each]
        assert status == 200 and await call.states() == []


async def test_a_connection_that_takes_no_cards_offers_none_beside_one_that_does(call: CardCall) -> None:
    line = call.sandbox.direct_line({"voice": "line"})
    await line.call(ANA, "411")
    await line.press("1")
    assert not [each for each in (await line.press("6")).lines if "cardul în acest" in each]
    await line.press("5")
    assert await call.states() == []


async def test_two_calls_at_once_open_one_payment_and_the_link_opens_no_other(call: CardCall) -> None:
    ports = call.sandbox.container.operators[OPERATOR]
    account = (await ports.billing.get_subscriber(ANA)).account
    bill, opening = (await ports.billing.list_bills(account, 1))[0], PaymentOpening(ports, OPERATOR, "RON")
    linked = LinkedBill(account, bill.id, ANA, ANA, "ro")
    first = await opening.open_card_payment(linked, "any", bill)
    assert first and await opening.open_card_payment(linked, "any", bill) is None
    by_link = await opening.start_payment(linked, "any", bill)
    assert (by_link.id, by_link.page_url) == (first.id, "") and await call.states() == ["pending"]
