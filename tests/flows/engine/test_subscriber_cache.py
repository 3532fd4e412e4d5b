"""Subscriber cache: who a caller is, for a limited time and a limited number of callers."""

from dataclasses import replace
from datetime import timedelta

import pytest

from flows.domain.records import Preference
from flows.engine import subscriber_cache
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


async def test_the_least_recently_used_caller_is_evicted_first(sandbox: GatewaySandbox) -> None:
    known = sandbox.container.subscriber_caches[OPERATOR]
    await known.find(ANA)
    remembered = known.profiles[ANA]
    others = range(subscriber_cache.MAX_PROFILES - 1)
    known.profiles.update({f"+4075{number:07}": remembered for number in others})

    sandbox.clock.advance(timedelta(seconds=61))
    await known.find(ANA)
    await known.find(BARBU)

    assert len(known.profiles) == subscriber_cache.MAX_PROFILES and {ANA, BARBU} <= known.profiles.keys()
