"""Acceptance of paying that no other file shows: packs, scripts, a wallet's limit, no card in calls."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import update

from gateway.demo.wallet.wallet_book import WalletBook
from gateway.demo.wallet.wallet_server import serve_wallet
from gateway.dialogs.sandbox import preset_language
from gateway.publishing.pack_compiler import SHARED_PLACES, available_operators, pack_folder
from menus.packs.graph_checks import reachable_nodes
from menus.packs.loader import load_draft
from storage.sql.tables import billing_bills
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.payment_world import open_payment_world
from tests.support.provider_phones import connect_webhooks
from tests.system.test_paid_everywhere import enter_all, keys_to_the_link

YOUSSEF, AMINE, ANA = "+212661000101", "+21698000101", "+40740000101"
VOICE_PATH = "/hooks/orange-ro/twilio/voice"


@pytest.mark.parametrize("operator", available_operators())
def test_M14_every_pack_leads_to_the_link_on_ussd_by_text_and_on_calls(operator: str) -> None:
    draft = load_draft(pack_folder(operator), SHARED_PLACES)
    assert all("pay.link" in reachable_nodes(draft, channel) for channel in ("ussd", "sms", "voice"))


async def test_M14_arabic_in_latin_letters_leads_to_the_link(sandboxes: SandboxFactory) -> None:
    async with open_payment_world(sandboxes, "tunisie-telecom", AMINE) as world:
        await preset_language(world.sandbox.container, "tunisie-telecom", AMINE, "ar-Latn")
        line, keys = world.sandbox.direct_line(), keys_to_the_link("tunisie-telecom", "ussd", "fr")
        asked = await enter_all(line, AMINE, keys[:-1])
        assert asked.isascii() and "fatoura" in asked.lower() and "45,230 DT" in asked
        await enter_all(line, AMINE, keys[-1:])
        (link,) = [each.body for each in await world.deliver() if "/pay#" in each.body]
        assert link.isascii()


async def test_M14_while_a_payment_is_under_way_no_second_link_is_offered(sandboxes: SandboxFactory) -> None:
    async with open_payment_world(sandboxes, "orange-ro", ANA) as world:
        await world.start(await world.request_link(), "silent")
        told = await world.text("PLATA")
        assert "79,90" in told and "a doua oar" in told
        assert not [each for each in await world.deliver() if "/pay#" in each.body]


async def test_M14_312_dirhams_from_a_wallet_that_holds_200_at_most_are_refused_with_the_cause(
    sandboxes: SandboxFactory,
) -> None:
    async with serve_wallet("mtn_momo", WalletBook(mode="over_limit")) as wallet:
        more = {"operators": {"maroc-telecom": {"wallet": wallet}}}
        async with sandboxes.open("2026-03-10 09:00", operator="maroc-telecom", more=more) as sandbox:
            await ask_for(sandbox, Decimal("312.00"))
            phone = sandbox.direct_line()
            for words in ("PAYER", "4"):
                await phone.send_text(YOUSSEF, sandbox.menu.config.numbers.sms, words)
            told = await texts_of_the_next_minutes(sandbox)
            assert [each for each in told if "312,00" in each and "plafond de votre portefeuille" in each]


async def ask_for(sandbox: GatewaySandbox, amount: Decimal) -> None:
    """Let every bill of the line ask for this much."""
    account = (await sandbox.container.operators["maroc-telecom"].billing.get_subscriber(YOUSSEF)).account
    changed = update(billing_bills).where(billing_bills.c.account == account)
    values = {"total": amount, "remaining": amount}
    await sandbox.container.database.write(lambda connection: connection.execute(changed.values(**values)))


async def texts_of_the_next_minutes(sandbox: GatewaySandbox) -> list[str]:
    found = []
    for seconds in (5, 30, 120):
        sandbox.clock.advance(timedelta(seconds=seconds))
        found += [each.body for each in await sandbox.messages.collect_new()]
    return found


async def test_F8_no_call_is_told_to_take_card_digits_unless_that_is_set(sandboxes: SandboxFactory) -> None:
    call = {"CallSid": "CA1", "From": ANA, "CallStatus": "in-progress", "Direction": "inbound"}
    keys = [each.removeprefix("> ") for each in keys_to_the_link("orange-ro", "voice", "ro")[1:]]
    async with sandboxes.open("2026-03-10 09:00", trust={"voice": "line"}) as sandbox:
        async with connect_webhooks(sandbox) as sender:
            said = [await sender.send_webhook(VOICE_PATH, call)]
            for hop, key in enumerate(keys, 1):
                said.append(await sender.send_webhook(f"{VOICE_PATH}?hop={hop}", call | {"Digits": key}))
        assert any("/pay#" in each.body for each in await sandbox.messages.collect_new())
    assert not [each for each in said if "<Pay" in each]
