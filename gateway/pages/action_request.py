"""Build the action request of a web page, as a menu step would."""

from dataclasses import replace

from flows.domain.actions import ActionRequest
from flows.domain.failures import NotFound
from flows.domain.records import MagicLink, Subscriber
from gateway.pages.page_request import PageRequest


def build_stranger_request(
    request: PageRequest, number: str, subscriber: Subscriber | None, given: str, key: str
) -> ActionRequest:
    """Build a request of a visitor who has proven nothing, about a number whose subscriber may be unknown."""
    return ActionRequest(
        menu=request.menu,
        ports=request.ports,
        subscriber=subscriber,
        lookup_failure=NotFound,
        caller=number,
        channel="web",
        language=request.language,
        proofs=(),
        argument=given,
        input_text="",
        facts={},
        key=key,
        now=request.now,
    )


def build_action_request(
    request: PageRequest, subscriber: Subscriber, given: str = "", key: str = ""
) -> ActionRequest:
    """Build a request for a subscriber who has proven their identity by a code, or holds a link."""
    unproven = build_stranger_request(request, subscriber.msisdn, subscriber, given, key)
    return replace(unproven, proofs=("code",))


async def address_request(request: PageRequest, link: MagicLink, line: str, key: str) -> ActionRequest | None:
    """Build the request of a link that changes an address; None where its line has another owner by now."""
    try:
        subscriber = await request.ports.billing.get_subscriber(line) if line else None
    except NotFound:
        return None
    if subscriber is None or subscriber.id != link.subscription:
        return None
    return build_action_request(request, subscriber, key=key)
