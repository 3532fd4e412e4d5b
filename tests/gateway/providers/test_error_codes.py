"""Provider codes: whose fault each is, and that no TLS means nothing was sent."""

import pytest

from flows.domain.failures import Misconfigured, NotNow, OptedOut, Rejected, TryLater, Undelivered
from gateway.providers._twilio.error_codes import (
    ACCOUNT_CODES,
    CONTENT_CODES,
    ERROR_CODES,
    RECIPIENT_CODES,
    REQUEST_CODES,
    SENDER_CODES,
    TEMPORARY_CODES,
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
