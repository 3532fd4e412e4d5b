"""SMS senders against fake vendor APIs: one POST, a total deadline, failures translated."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from flows.domain.failures import (
    Misconfigured,
    NotNow,
    OptedOut,
    OutcomeUnknown,
    Rejected,
    TryLater,
    Undelivered,
)
from flows.domain.records import OutboundMessage
from gateway.providers._africastalking.bulk_sms import AfricasTalkingAccount as AtAccount
from gateway.providers._africastalking.bulk_sms import AfricasTalkingSms
from gateway.providers._twilio.messages_api import TwilioAccount as TwilioAccount
from gateway.providers._twilio.messages_api import TwilioSms
from gateway.providers.contract import Sender, SentMessage
from tests.support.fakes.africastalking_api import FakeAfricasTalking
from tests.support.fakes.twilio_api import FakeTwilio
from tests.support.fakes.vendor_api import FakeVendor

TO, OTHER = "+254711000111", "+254711000222"
DEADLINE_SECONDS = 0.2
SLACK_SECONDS = 0.25
"""What a busy machine may add to a deadline, in seconds."""


def build_notice(to: str = TO, body: str = "héllo & 1+1", key: str = "turn 7/é?") -> OutboundMessage:
    return OutboundMessage(key, "orange-ro", to, "sms", "reply", body, "ro")


def africastalking_sender(url: str, most: int = 16) -> AfricasTalkingSms:
    return AfricasTalkingSms(AtAccount("sandbox", "at-secret", "477", url), DEADLINE_SECONDS, most)


def twilio_sender(url: str, most: int = 16, sender: str = "+40700000477") -> TwilioSms:
    account = TwilioAccount("AC0", "tw-secret", sender, url)
    return TwilioSms(account, "https://gw.example/hooks/orange-ro/twilio/sms-status", DEADLINE_SECONDS, most)


AnySender = TypeVar("AnySender", bound=Sender)
MakeSender = Callable[..., Sender]
VENDORS: dict[str, tuple[type[FakeVendor], MakeSender]] = {
    "africastalking": (FakeAfricasTalking, africastalking_sender),
    "twilio": (FakeTwilio, twilio_sender),
}


@asynccontextmanager
async def closing_sender(sender: AnySender) -> AsyncIterator[AnySender]:
    try:
        yield sender
    finally:
        await sender.close()


@pytest.fixture(params=VENDORS)
async def vendor(request: pytest.FixtureRequest) -> AsyncIterator[tuple[FakeVendor, MakeSender]]:
    fake, make = VENDORS[request.param]
    async with fake() as running:
        yield running, make


async def send_outcome(sending: Awaitable[SentMessage]) -> SentMessage | Undelivered:
    try:
        return await sending
    except Undelivered as failure:
        return failure


async def test_a_message_goes_out_once_and_brings_its_id(vendor: tuple[FakeVendor, MakeSender]) -> None:
    fake, make = vendor
    async with closing_sender(make(fake.url)) as sender:
        sent = await sender.send(build_notice())
    assert sent.message_id
    assert len(fake.requests) == 1
    assert "héllo & 1+1" in fake.requests[0].form.values()


FAILURES: dict[str, type[Undelivered]] = {
    "hang": OutcomeUnknown,
    "drip": OutcomeUnknown,
    "reset": OutcomeUnknown,
    "garbage": OutcomeUnknown,
    "redirect": Misconfigured,
    "500": OutcomeUnknown,
    "503": OutcomeUnknown,
    "429": TryLater,
    "401": Misconfigured,
    "404": Misconfigured,
    "400": Rejected,
}


@pytest.mark.parametrize("word", FAILURES)
async def test_a_bad_answer_is_one_post_and_one_failure(
    vendor: tuple[FakeVendor, MakeSender], word: str
) -> None:
    fake, make = vendor
    fake.script.append(word)
    async with closing_sender(make(fake.url)) as sender:
        failure = await send_outcome(sender.send(build_notice()))
    assert type(failure) is FAILURES[word]
    assert [request.method for request in fake.requests] == ["POST"]
    assert TO not in str(failure) and "secret" not in repr(failure)


@pytest.mark.parametrize("word", ["hang", "drip"])
async def test_the_deadline_is_total_and_the_loop_runs_on(
    vendor: tuple[FakeVendor, MakeSender], word: str
) -> None:
    fake, make = vendor
    fake.script.append(word)
    async with closing_sender(make(fake.url)) as sender:
        began = time.monotonic()
        sending = asyncio.create_task(send_outcome(sender.send(build_notice())))
        longest = await longest_pause_until(sending)
        assert time.monotonic() - began < DEADLINE_SECONDS + SLACK_SECONDS
    assert longest < SLACK_SECONDS


async def longest_pause_until(task: asyncio.Task[object]) -> float:
    longest, last = 0.0, time.monotonic()
    while not task.done():
        await asyncio.sleep(0.005)
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    return longest


async def test_a_refused_connection_means_try_later(vendor: tuple[FakeVendor, MakeSender]) -> None:
    _, make = vendor
    async with FakeTwilio() as gone:
        url = gone.url
    async with closing_sender(make(url)) as sender:
        assert type(await send_outcome(sender.send(build_notice()))) is TryLater


async def test_what_is_no_number_is_never_posted(vendor: tuple[FakeVendor, MakeSender]) -> None:
    fake, make = vendor
    async with closing_sender(make(fake.url)) as sender:
        for to in ("", "MTN", "+254711000111\n", "254711000111", "+٢٥٤٧١١٠٠٠١١١"):
            assert type(await send_outcome(sender.send(build_notice(to)))) is Rejected
    assert fake.requests == []


async def test_sends_over_the_concurrency_limit_are_shed(vendor: tuple[FakeVendor, MakeSender]) -> None:
    fake, make = vendor
    fake.script.extend(["hang"] * 3)
    async with closing_sender(make(fake.url, 3)) as sender:
        outcomes = await asyncio.gather(*(send_outcome(sender.send(build_notice())) for _ in range(5)))
    assert [type(one) for one in outcomes] == [OutcomeUnknown] * 3 + [TryLater] * 2
    assert len(fake.requests) == 3


async def test_failures_release_the_concurrency_limit(vendor: tuple[FakeVendor, MakeSender]) -> None:
    fake, make = vendor
    fake.script.extend(["garbage", "500", "reset"])
    async with closing_sender(make(fake.url, 1)) as sender:
        outcomes = [await send_outcome(sender.send(build_notice())) for _ in range(4)]
    assert isinstance(outcomes[-1], SentMessage)


async def test_africas_talking_gets_what_its_page_asks_for() -> None:
    async with FakeAfricasTalking() as fake:
        async with closing_sender(africastalking_sender(fake.url)) as sender:
            assert await sender.send(build_notice()) == SentMessage("africastalking", "ATXid_254711000111")
    (request,) = fake.requests
    assert request.path == "/version1/messaging"
    assert request.headers["apiKey"] == "at-secret"
    assert request.form == {
        "username": "sandbox",
        "to": TO,
        "message": "héllo & 1+1",
        "bulkSMSMode": "1",
        "from": "477",
    }


CODES: dict[int, type[Undelivered]] = {
    401: Misconfigured,
    402: Misconfigured,
    403: Rejected,
    404: Rejected,
    405: Misconfigured,
    406: OptedOut,
    407: Rejected,
    409: NotNow,
    500: TryLater,
    501: TryLater,
    502: Rejected,
    999: OutcomeUnknown,
}


@pytest.mark.parametrize("code", CODES)
async def test_http_201_says_nothing_about_a_recipient(code: int) -> None:
    async with FakeAfricasTalking(recipient_codes={TO: code}) as fake:
        async with closing_sender(africastalking_sender(fake.url)) as sender:
            assert type(await send_outcome(sender.send(build_notice()))) is CODES[code]


async def test_do_not_disturb_may_come_as_http_409() -> None:
    async with FakeAfricasTalking(recipient_codes={TO: 409}) as fake:
        fake.script.append("409")
        async with closing_sender(africastalking_sender(fake.url)) as sender:
            assert type(await send_outcome(sender.send(build_notice()))) is NotNow


async def test_an_answer_without_recipients_names_the_sender() -> None:
    async with FakeAfricasTalking(message="InvalidSenderId") as fake:
        async with closing_sender(africastalking_sender(fake.url)) as sender:
            assert type(await send_outcome(sender.send(build_notice()))) is Misconfigured


async def test_one_body_to_many_is_one_post_with_a_verdict_each() -> None:
    async with FakeAfricasTalking(recipient_codes={OTHER: 406}) as fake:
        async with closing_sender(africastalking_sender(fake.url)) as sender:
            outcomes = await sender.send_many([build_notice(), build_notice(OTHER), build_notice("MTN")])
    assert [type(one) for one in outcomes] == [SentMessage, OptedOut, Rejected]
    assert [request.form["to"] for request in fake.requests] == [f"{TO},{OTHER}"]


async def test_different_bodies_are_not_sent_together() -> None:
    async with closing_sender(africastalking_sender("http://127.0.0.1:9")) as sender:
        with pytest.raises(ValueError, match="one body"):
            await sender.send_many([build_notice(), build_notice(body="other")])


async def test_twilio_gets_what_its_page_asks_for() -> None:
    async with FakeTwilio() as fake:
        async with closing_sender(twilio_sender(fake.url)) as sender:
            await sender.send(build_notice())
    (request,) = fake.requests
    assert request.path == "/2010-04-01/Accounts/AC0/Messages.json"
    assert request.headers["Authorization"] == "Basic QUMwOnR3LXNlY3JldA=="
    assert request.form == {
        "To": TO,
        "From": "+40700000477",
        "Body": "héllo & 1+1",
        "StatusCallback": "https://gw.example/hooks/orange-ro/twilio/sms-status?id=turn%207%2F%C3%A9%3F",
    }


async def test_a_messaging_service_chooses_the_number() -> None:
    async with FakeTwilio() as fake:
        async with closing_sender(twilio_sender(fake.url, sender="MG1")) as sender:
            await sender.send(build_notice())
    assert fake.requests[0].form["MessagingServiceSid"] == "MG1"
    assert "From" not in fake.requests[0].form


async def test_edge_and_region_of_the_environment_do_not_bend_the_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TWILIO_EDGE", "dublin")
    monkeypatch.setenv("TWILIO_REGION", "ie1")
    async with FakeTwilio() as fake:
        async with closing_sender(twilio_sender(fake.url)) as sender:
            assert await sender.send(build_notice())
