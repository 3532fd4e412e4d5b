"""Subscriber cache: who a caller is, for a limited time and a limited number of callers."""

from dataclasses import replace
from datetime import timedelta

import pytest

from flows.domain.records import Preference
from flows.engine import subscriber_cache
from flows.engine.subscriber_cache import SubscriberCache
from flows.services.email_validation import email_of
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
