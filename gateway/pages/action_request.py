"""Build the action request of a web page, as a menu step would."""

from flows.domain.actions import Ask
from flows.domain.failures import NotFound
from flows.domain.records import Subscriber
from gateway.pages.page_request import Visit


def ask(visit: Visit, person: Subscriber, given: str = "", key: str = "") -> Ask:
    """Build a request for a subscriber who has proven their identity by a code, or holds a link."""
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
