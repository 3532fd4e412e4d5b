"""Africa's Talking calls: the finish key alone, and an agent who nu răspunde."""

import pytest

from gateway.providers import africastalking
from gateway.providers.contract import Connection, ConversationEnded, TransferFailed, Webhook
from tests.support.gateway_sandbox import HOOK_TOKEN, GatewaySandbox
from tests.support.provider_phones import connect_webhooks

CONNECTION = Connection("orange-ro", None, "https://gw.example", "https://gw.example/hooks", {}, {})
CALL = {"isActive": "1", "sessionId": "ATVId_1", "callerNumber": "+40740000102", "direction": "Inbound"}
VOICE_PATH = f"/hooks/orange-ro/africastalking/{HOOK_TOKEN}/voice"
TRANSFERRED = {"transferred": "ro"}


@pytest.mark.parametrize("duration", [{}, {"dialDurationInSeconds": "0"}, {"dialDurationInSeconds": "None"}])
def test_a_transfer_that_nobody_took_is_told(duration: dict[str, str]) -> None:
    assert africastalking.read_voice(Webhook(CALL | duration, TRANSFERRED), CONNECTION) == TransferFailed("ro")


def test_a_transfer_that_was_taken_ends_the_call() -> None:
    webhook = Webhook(CALL | {"dialDurationInSeconds": "41"}, TRANSFERRED)
    assert africastalking.read_voice(webhook, CONNECTION) is None


def test_a_caller_who_hung_up_during_the_transfer_has_ended_the_call() -> None:
    event = africastalking.read_voice(Webhook(CALL | {"isActive": "0"}, TRANSFERRED), CONNECTION)
    assert isinstance(event, ConversationEnded)


async def test_the_caller_hears_that_the_agent_does_not_answer(sandbox: GatewaySandbox) -> None:
    async with connect_webhooks(sandbox) as sender:
        await sender.send_webhook(VOICE_PATH, CALL)
        dialled = await sender.send_webhook(f"{VOICE_PATH}?hop=1", CALL | {"dtmfDigits": "0"})
        said = await sender.send_webhook(f"{VOICE_PATH}?transferred=ro", CALL)
    assert "<Dial " in dialled and f"{VOICE_PATH}?transferred=ro</Redirect>" in dialled
    assert "nu răspunde" in said and "<GetDigits" not in said


async def test_the_finish_key_alone_is_a_key_and_no_silence(sandbox: GatewaySandbox) -> None:
    async with connect_webhooks(sandbox) as sender:
        await sender.send_webhook(VOICE_PATH, CALL)
        await sender.send_webhook(f"{VOICE_PATH}?hop=1", CALL | {"dtmfDigits": "1"})
        asked = await sender.send_webhook(f"{VOICE_PATH}?hop=2", CALL | {"dtmfDigits": "1"})
        said = [await sender.send_webhook(f"{VOICE_PATH}?hop={hop}", CALL) for hop in (3, 4, 5)]
    assert 'finishOnKey="#"' in asked
    assert all("Nu am auzit" not in each and "<GetDigits" in each for each in said)


async def test_silence_is_still_silence(sandbox: GatewaySandbox) -> None:
    async with connect_webhooks(sandbox) as sender:
        await sender.send_webhook(VOICE_PATH, CALL)
        said = await sender.send_webhook(f"{VOICE_PATH}?hop=1&noinput=1", CALL)
    assert "Nu am auzit" in said
