"""One wish at once from several sessions, channels and processes is one consent and one confirmation (T30)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass, field, replace

import pytest

from flows.domain.bill_delivery import BillDestination
from flows.domain.records import ChangeSet, Consent
from gateway.dialogs.player import PhoneDisplay
from storage.demo.world import seed_demo_world
from storage.ledger.sql_ledger import SqlLedger
from storage.privacy.data_map import DataSubject
from storage.privacy.export_erase import SqlPrivacy
from storage.sql.engine import Database
from tests.support.databases import NOW, SECRET, count_rows
from tests.support.gateway_sandbox import FaultyBilling, GatewaySandbox, SandboxFactory
from tests.support.provider_phones import AfricasTalkingPhone, connect_webhooks

ANA = "+40740000101"
TRUST = {"voice": "line"}
Wish = Awaitable[PhoneDisplay]


@dataclass(slots=True)
class SimultaneousBilling(FaultyBilling):
    """Billing whose media is read by so many callers before the first of them gets the answer."""

    callers: int = 1
    everybody_asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def get_media(self, account: str) -> BillDestination:
        answer = await self.inner.get_media(account)
        self.callers -= 1
        if self.callers <= 0:
            self.everybody_asked.set()
        await self.everybody_asked.wait()
        return answer


@pytest.fixture
async def two_line_sandbox(sandboxes: SandboxFactory, database_url: str) -> AsyncIterator[GatewaySandbox]:
    """Provide a gateway on SQLite or PostgreSQL whose calls prove the line, as its USSD and texts do."""
    more = {"database_url": database_url}
    async with sandboxes.open(more=more, trust=TRUST) as sandbox:
        passwords, at = sandbox.container.passwords, sandbox.clock()
        await seed_demo_world(sandbox.container.database, passwords, at)
        yield sandbox


def let_ask_at_once(sandbox: GatewaySandbox, callers: int) -> None:
    """Let this many activations read the same state of the account."""
    ports = sandbox.container.operators[sandbox.operator]
    ports.billing = SimultaneousBilling(ports.billing, callers=callers)


async def begin_activations(phones: list[AfricasTalkingPhone]) -> list[Wish]:
    """Bring two USSD sessions, a text and a call to the key that activates; return those last steps."""
    first, second, texting, calling = phones
    for phone in (first, second):
        await phone.dial(ANA, "*100*1*1#")
        await phone.press("3")
    await calling.call(ANA, "411")
    await calling.press("1")
    await calling.press("2")
    return [first.press("1"), second.press("1"), texting.send_text(ANA, "477", "EFACTURA"), calling.press("1")]


async def test_T30_activations_at_once_on_three_channels_are_one_consent_and_one_sms(
    two_line_sandbox: GatewaySandbox,
) -> None:
    sandbox = two_line_sandbox
    async with connect_webhooks(sandbox) as wire:
        phones = [
            AfricasTalkingPhone(wire, sandbox.menu, sandbox.messages, iter(range(10 * index, 10 * index + 9)))
            for index in range(4)
        ]
        wishes = await begin_activations(phones)
        let_ask_at_once(sandbox, len(wishes))
        await asyncio.gather(*wishes)
    sandbox.messages.inbox += await sandbox.messages.collect_new()
    notices = [each.key for each in sandbox.messages.inbox if each.kind == "notice"]
    assert (await count_rows(sandbox.container.database, "consents"), len(notices)) == (1, 1)


CONSENT = Consent("e-bill", is_given=True, text_name="t", language="ro", channel="ussd", proof="line")


def decide(key: str, after: int, *, is_given: bool = True) -> ChangeSet:
    """Return the change of one request that decides after the latest consent it has read."""
    consents = (replace(CONSENT, is_given=is_given),)
    return ChangeSet(key, "orange-ro", "s1", NOW, consents=consents, after_consent=after)


async def latest(ledger: SqlLedger) -> int:
    return await ledger.latest_consent("orange-ro", "s1", "e-bill")


async def test_T30_of_equal_decisions_of_many_processes_one_is_written(database: Database) -> None:
    ledgers = [SqlLedger(database, SECRET) for _ in range(3)]
    basis = await latest(ledgers[0])
    outcomes = await asyncio.gather(*(ledgers[n % 3].commit(decide(f"k{n}", basis)) for n in range(12)))
    assert set(outcomes) == {"ok"} and await count_rows(database, "consents") == 1


async def test_a_wish_taken_back_and_renewed_is_three_consents(database: Database) -> None:
    ledger = SqlLedger(database, SECRET)
    for key, is_given in (("on", True), ("off", False), ("on again", True)):
        await ledger.commit(decide(key, await latest(ledger), is_given=is_given))
    assert await count_rows(database, "consents") == 3


async def test_opposite_wishes_at_once_are_both_recorded(database: Database) -> None:
    ledger = SqlLedger(database, SECRET)
    await asyncio.gather(ledger.commit(decide("on", 0)), ledger.commit(decide("off", 0, is_given=False)))
    assert await count_rows(database, "consents") == 2


async def test_a_wish_after_erasure_is_a_new_consent(database: Database) -> None:
    ledger, privacy = SqlLedger(database, SECRET), SqlPrivacy(database, SECRET)
    await ledger.commit(decide("before", await latest(ledger)))
    await privacy.erase(DataSubject("orange-ro", ANA, "s1"), (), confirmed=True)
    await ledger.commit(decide("after", await latest(ledger)))
    assert await count_rows(database, "consents") == 2
