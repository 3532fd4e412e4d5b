"""Asking: a visit's question put as a step of a menu would put it."""

from flows.domain.actions import Ask
from flows.domain.failures import NotFound
from flows.domain.records import Subscriber
from gateway.pages.page_request import Visit


def ask(visit: Visit, person: Subscriber, given: str = "", key: str = "") -> Ask:
    """The question of somebody who has proven with a code, or holds a link, that it is theirs to ask."""
    return Ask(
        menu=visit.menu,
        world=visit.world,
        subscriber=person,
        missing=NotFound,
        caller=person.msisdn,
        channel="web",
        language=visit.language,
        proofs=("code",),
        given=given,
        typed="",
        facts={},
        key=key,
        now=visit.now,
    )
