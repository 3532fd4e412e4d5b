"""Build the action request of a web page, as a menu step would."""

from flows.domain.actions import ActionRequest
from flows.domain.failures import NotFound
from flows.domain.records import Subscriber
from gateway.pages.page_request import PageRequest


def build_action_request(
    request: PageRequest, subscriber: Subscriber, given: str = "", key: str = ""
) -> ActionRequest:
    """Build a request for a subscriber who has proven their identity by a code, or holds a link."""
    return ActionRequest(
        menu=request.menu,
        ports=request.ports,
        subscriber=subscriber,
        lookup_failure=NotFound,
        caller=subscriber.msisdn,
        channel="web",
        language=request.language,
        proofs=("code",),
        argument=given,
        input_text="",
        facts={},
        key=key,
        now=request.now,
    )
