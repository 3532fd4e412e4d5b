"""Provider codes: whose fault each is, and that no TLS means nothing was sent."""

from itertools import chain

import pytest

from flows.domain.failures import Misconfigured, NotNow, OptedOut, Rejected, TryLater, Undelivered
from gateway.providers._africastalking import status_codes as at_codes
from gateway.providers._twilio.error_codes import (
    ACCOUNT_CODES,
    CONTENT_CODES,
    ERROR_CODES,
    RECIPIENT_CODES,
    REQUEST_CODES,
    SENDER_CODES,
    TEMPORARY_CODES,
    is_our_fault,
)
from tests.gateway.providers.test_senders import (
    TO,
    africastalking_sender,
    build_notice,
    closing_sender,
    send_outcome,
    twilio_sender,
)
from tests.support.fakes.africastalking_api import FakeAfricasTalking
from tests.support.fakes.twilio_api import FakeTwilio
from tests.support.gateway_sandbox import HOOK_TOKEN, GatewaySandbox
from tests.support.provider_phones import connect_webhooks

TWILIO_CODES: dict[int, type[Undelivered]] = {
    20003: Misconfigured,
    20429: TryLater,
    14107: TryLater,
    21211: Rejected,
    21408: Misconfigured,
    21609: Misconfigured,
    21618: Rejected,
    21635: Rejected,
    21659: Misconfigured,
    21660: Misconfigured,
    21703: Misconfigured,
    21704: Misconfigured,
    21705: Misconfigured,
    21730: TryLater,
    21610: OptedOut,
    21611: TryLater,
    21614: Rejected,
    30003: NotNow,
    30007: Rejected,
    30027: TryLater,
    30034: Misconfigured,
    30041: Misconfigured,
    30454: Misconfigured,
    29999: Rejected,
}


@pytest.mark.parametrize("code", TWILIO_CODES)
async def test_twilio_codes_mean_what_the_table_says(code: int) -> None:
    async with FakeTwilio(error_code=code) as fake:
        fake.script.append("400")
        async with closing_sender(twilio_sender(fake.url)) as sender:
            failure = await send_outcome(sender.send(build_notice()))
    assert type(failure) is TWILIO_CODES[code]
    assert TO not in str(failure)


def test_each_twilio_code_is_in_one_table() -> None:
    tables = [ACCOUNT_CODES, SENDER_CODES, REQUEST_CODES, RECIPIENT_CODES, CONTENT_CODES, TEMPORARY_CODES]
    assert sum(map(len, tables)) + 2 == len(ERROR_CODES)


async def test_a_server_without_tls_was_sent_nothing() -> None:
    async with FakeAfricasTalking() as fake:
        async with closing_sender(africastalking_sender(fake.url.replace("http:", "https:"))) as sender:
            failure = await send_outcome(sender.send(build_notice()))
    assert type(failure) is TryLater and fake.requests == []


async def test_twilio_without_tls_was_sent_nothing() -> None:
    async with FakeTwilio() as fake:
        async with closing_sender(twilio_sender(fake.url.replace("http:", "https:"))) as sender:
            failure = await send_outcome(sender.send(build_notice()))
    assert type(failure) is TryLater and fake.requests == []


def test_every_published_status_of_africas_talking_is_somebodys() -> None:
    tables = [
        at_codes.ACCEPTED_CODES,
        at_codes.ACCOUNT_CODES,
        at_codes.SENDER_CODES,
        at_codes.RECIPIENT_CODES,
        at_codes.TEMPORARY_CODES,
    ]
    assert sorted(chain(*tables)) == sorted(at_codes.STATUS_NAMES)
    refused = set(at_codes.STATUS_NAMES) - at_codes.ACCEPTED_CODES
    assert set(at_codes.REFUSAL_CODES) == refused


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        *((code, Misconfigured) for code in (401, 402, 405)),
        *((code, Rejected) for code in (403, 404, 407, 502)),
        (406, OptedOut),
        (409, NotNow),
        *((code, TryLater) for code in (500, 501)),
    ],
)
def test_a_status_of_africas_talking_is_ours_the_recipients_or_of_the_moment(
    code: int, failure: type[Undelivered]
) -> None:
    assert at_codes.REFUSAL_CODES[code] is failure


def test_reasons_of_reports_are_in_one_table_each() -> None:
    tables = [at_codes.OUR_REASONS, at_codes.RECIPIENT_REASONS, at_codes.TEMPORARY_REASONS]
    assert len(frozenset[str]().union(*tables)) == sum(map(len, tables)) == 11


@pytest.mark.parametrize("code", ["30034", " 30034 ", "21705"])
def test_a_callbacks_code_may_blame_us(code: str) -> None:
    assert is_our_fault(code)


@pytest.mark.parametrize("code", ["30005", "30003", "30008", "", "x", "٣", "9" * 5_000])
def test_other_codes_of_callbacks_blame_nobody_here(code: str) -> None:
    assert not is_our_fault(code)


@pytest.mark.parametrize(("reason", "alerts"), [("InsufficientCredit", 1), ("UserDoesNotExist", 0), ("", 0)])
async def test_a_report_that_blames_us_is_an_alert(
    sandbox: GatewaySandbox, caplog: pytest.LogCaptureFixture, reason: str, alerts: int
) -> None:
    fields = {"id": "ATXid_1", "status": "Failed", "phoneNumber": TO, "failureReason": reason}
    async with connect_webhooks(sandbox) as sender:
        await sender.send_webhook(f"/hooks/orange-ro/africastalking/{HOOK_TOKEN}/sms-report", fields)
    assert caplog.messages.count("webhook.sender_refused") == alerts
