"""Payments of lines without SMS: the link, the receipt and what went wrong come by e-mail (M14)."""

from collections.abc import AsyncIterator, Sequence

import pytest

from flows.domain.records import ChangeSet, OutboundMessage, Preference
from gateway.demo.payfake import PayfakeMode
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.payment_world import PaymentWorld, open_payment_world

FATIMA, ADDRESS = "+212522000102", "fatima@example.test"
"""A fixed line."""


@pytest.fixture
async def world(sandboxes: SandboxFactory) -> AsyncIterator[PaymentWorld]:
    async with open_payment_world(sandboxes, "maroc-telecom", FATIMA) as opened:
        yield opened


async def validate_address(world: PaymentWorld) -> None:
    """Let the line have a validated address."""
    ports = world.sandbox.container.operators[world.operator]
    owner = await ports.billing.get_subscriber(FATIMA)
    preference = Preference(email=ADDRESS, email_validated=True)
    await ports.ledger.commit(
        ChangeSet("validated", world.operator, owner.id, ports.now(), preference=preference)
    )


async def press_all(world: PaymentWorld, keys: Sequence[str]) -> str:
    """Dial from the fixed line, which the network vouches for, and press keys; return the last screen."""
    line = world.sandbox.direct_line({"ussd": "line"})
    shown = await line.dial(FATIMA, "*580#")
    for key in keys:
        shown = await line.press(key)
    return "\n".join(shown.lines)


async def mails(world: PaymentWorld) -> list[OutboundMessage]:
    """Return the mails that have come since the last call; no SMS may go to a fixed line."""
    new = await world.deliver()
    assert not [each for each in new if each.to == FATIMA]
    return [each for each in new if each.to == ADDRESS]


async def pay_by_mail(world: PaymentWorld, mode: PayfakeMode = "ok") -> None:
    """Get the link by e-mail, go to the provider and press its button."""
    await press_all(world, ("4", "1"))
    (mail,) = await mails(world)
    session = await world.start(mail.body.partition("/pay#")[2].split()[0], mode)
    await world.payfake.press(session)


async def test_M14_the_link_of_a_fixed_line_comes_by_e_mail(world: PaymentWorld) -> None:
    await validate_address(world)
    shown = await press_all(world, ("4", "1"))
    (mail,) = await mails(world)
    assert "/pay#" in mail.body and mail.route == "email" and mail.subject
    assert ADDRESS not in shown


async def test_M14_a_receipt_follows_the_link_to_the_same_address(world: PaymentWorld) -> None:
    await validate_address(world)
    await pay_by_mail(world)
    (receipt,) = await mails(world)
    assert (await world.intents())[0].receipt in receipt.body and await world.states() == ["booked"]


async def test_M14_a_refusal_is_mailed(world: PaymentWorld) -> None:
    await validate_address(world)
    await pay_by_mail(world, "refuse")
    (notice,) = await mails(world)
    assert await world.states() == ["failed"] and notice.subject


async def test_M14_another_amount_is_mailed_about_once(world: PaymentWorld) -> None:
    await validate_address(world)
    await pay_by_mail(world, "wrong_amount")
    assert len([*await mails(world), *(each for each in await world.wait(hours=2) if each.to == ADDRESS)]) == 1
    assert await world.states() == ["unknown"]


async def test_M14_without_a_validated_address_no_link_is_sent(world: PaymentWorld) -> None:
    await press_all(world, ("4", "1"))
    assert not await mails(world) and not await world.deliver()


async def test_F8_the_mandate_of_a_fixed_line_comes_by_e_mail(world: PaymentWorld) -> None:
    await validate_address(world)
    await press_all(world, ("4", "2", "1"))
    (mail,) = await mails(world)
    assert "https://paiement.iam.example/mandat" in mail.body
