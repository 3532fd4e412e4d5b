"""Subscriber cache: who a caller is, for a limited time and a limited number of callers."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from flows.domain.records import ChangeSet, Preference
from flows.engine import subscriber_cache
from flows.engine.subscriber_cache import SubscriberCache
from flows.services.email_validation import email_of
from gateway.dialogs.direct_line import DirectLine
from tests.flows.services.test_bill_notices import HOLDER
from tests.support.gateway_sandbox import OPERATOR, GatewaySandbox

ANA, BARBU = "+40740000101", "+40740000102"


@pytest.mark.parametrize(
    ("kept", "found"),
    [
        (Preference(), ("bill@x.ro", True)),
        (Preference(email_validated=True), ("bill@x.ro", True)),
        (Preference(email="new@x.ro"), ("new@x.ro", False)),
        (Preference(email="new@x.ro", email_validated=True), ("new@x.ro", True)),
    ],
)
def test_our_stored_address_precedes_that_of_billing(kept: Preference, found: tuple[str, bool]) -> None:
    assert email_of(kept, replace(HOLDER, email="bill@x.ro", email_validated=True)) == found


async def fill_cache(known: SubscriberCache) -> None:
    """Cache as many other callers as there is room for beside the first."""
    remembered = known.profiles[ANA]
    others = range(subscriber_cache.MAX_PROFILES - 1)
    known.profiles.update({f"+4075{number:07}": remembered for number in others})


async def test_the_caller_looked_up_longest_ago_is_evicted_first(sandbox: GatewaySandbox) -> None:
    known = sandbox.container.subscriber_caches[OPERATOR]
    await known.find(ANA)
    await fill_cache(known)
    await known.find(BARBU)
    assert len(known.profiles) == subscriber_cache.MAX_PROFILES
    assert BARBU in known.profiles and ANA not in known.profiles


async def test_expired_profiles_are_dropped_as_new_ones_come(sandbox: GatewaySandbox) -> None:
    known = sandbox.container.subscriber_caches[OPERATOR]
    await known.find(ANA)
    await fill_cache(known)
    sandbox.clock.advance(timedelta(seconds=61))
    await known.find(BARBU)
    await known.find(ANA)
    assert len(known.profiles) == subscriber_cache.MAX_PROFILES - 2 and {ANA, BARBU} <= known.profiles.keys()


async def test_a_caller_looked_up_again_counts_as_new(sandbox: GatewaySandbox) -> None:
    known = sandbox.container.subscriber_caches[OPERATOR]
    for caller, seconds in ((ANA, 0), (BARBU, 20), (ANA, 20)):
        sandbox.clock.advance(timedelta(seconds=seconds))
        await known.find(caller)
    assert list(known.profiles) == [BARBU, ANA]


FIRST_WORDS = [
    ("ussd", "Welcome to Orange!"),
    ("voice", "For bills, press 1."),
    ("sms", "The service does not answer right now."),
]
"""What a conversation begins with while billing is out, by channel."""


async def first_words(phone: DirectLine, channel: str, caller: str) -> str:
    """Return what a new conversation on a channel begins with."""
    if channel == "sms":
        return "\n".join((await phone.send_text(caller, "477", "FACTURA")).lines)
    start = phone.dial(caller, "*100#") if channel == "ussd" else phone.call(caller, "411")
    return "\n".join((await start).lines)


@pytest.mark.parametrize(("channel", "words"), FIRST_WORDS)
async def test_a_caller_known_before_keeps_the_language_while_billing_is_out(
    sandbox: GatewaySandbox, channel: str, words: str
) -> None:
    phone = sandbox.direct_line({"sms": "line", "voice": "line"})
    await first_words(phone, channel, BARBU)
    sandbox.faulty_billing.set_state("down")
    sandbox.clock.advance(timedelta(days=1))
    assert words in await first_words(phone, channel, BARBU)


async def test_a_chosen_language_outlives_the_process_while_billing_is_out(sandbox: GatewaySandbox) -> None:
    known, ports = sandbox.container.subscriber_caches[OPERATOR], sandbox.container.operators[OPERATOR]
    owner = (await known.find(ANA)).subscriber
    assert owner
    change = ChangeSet("k", OPERATOR, owner.id, ports.now(), preference=Preference("en"))
    await ports.ledger.commit(change)
    await sandbox.container.write_behind.flush()
    known.languages.clear()
    known.profiles.clear()
    sandbox.faulty_billing.set_state("down")
    assert (await known.find(ANA)).language == "en"
    assert (await known.find(BARBU)).language == ""


async def test_a_language_that_cannot_be_read_is_none(sandbox: GatewaySandbox) -> None:
    known = sandbox.container.subscriber_caches[OPERATOR]
    sandbox.faulty_billing.set_state("down")
    await sandbox.container.database.write(lambda connection: connection.execute(text("DROP TABLE bindings")))
    assert (await known.find(ANA)).language == ""
