"""Twilio calls: the finish key alone, and an agent who nu răspunde."""

import pytest

from gateway.providers import twilio
from gateway.providers.contract import Connection, TransferFailed, Webhook
from tests.support.gateway_sandbox import GatewaySandbox
from tests.support.provider_phones import connect_webhooks

CONNECTION = Connection("orange-ro", None, "https://gw.example", "https://gw.example/hooks", {}, {})
CALL = {"CallSid": "CA1", "From": "+40740000102", "CallStatus": "in-progress", "Direction": "inbound"}
VOICE_PATH = "/hooks/orange-ro/twilio/voice"


@pytest.mark.parametrize("status", ["busy", "no-answer", "failed", "canceled"])
def test_a_transfer_that_nobody_took_is_told(status: str) -> None:
    webhook = Webhook(CALL | {"DialCallStatus": status}, {"language": "ro"})
    assert twilio.read_voice(webhook, CONNECTION) == TransferFailed("ro")


def test_a_transfer_that_was_taken_ends_the_call() -> None:
    assert twilio.read_voice(Webhook(CALL | {"DialCallStatus": "completed"}, {}), CONNECTION) is None


async def test_the_caller_hears_that_the_agent_does_not_answer(sandbox: GatewaySandbox) -> None:
    async with connect_webhooks(sandbox) as sender:
        await sender.send_webhook(VOICE_PATH, CALL)
        dialled = await sender.send_webhook(f"{VOICE_PATH}?hop=1", CALL | {"Digits": "0"})
        assert f"{VOICE_PATH}?language=ro" in dialled
        said = await sender.send_webhook(f"{VOICE_PATH}?language=ro", CALL | {"DialCallStatus": "busy"})
    assert "nu răspunde" in said and "<Hangup" in said


async def test_the_finish_key_alone_is_a_key_and_no_silence(sandbox: GatewaySandbox) -> None:
    alone = CALL | {"Digits": "", "FinishedOnKey": "#"}
    async with connect_webhooks(sandbox) as sender:
        await sender.send_webhook(VOICE_PATH, CALL)
        await sender.send_webhook(f"{VOICE_PATH}?hop=1", CALL | {"Digits": "1"})
        asked = await sender.send_webhook(f"{VOICE_PATH}?hop=2", CALL | {"Digits": "1"})
        said = [await sender.send_webhook(f"{VOICE_PATH}?hop={hop}", alone) for hop in (3, 4, 5)]
    assert 'finishOnKey="#"' in asked
    assert all("Nu am auzit" not in each and "Hangup" not in each for each in said)
