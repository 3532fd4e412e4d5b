"""Code by e-mail for the bill page: sent to the confirmed address of the number typed (F1)."""

import logging

from flows.domain.failures import NotFound
from flows.domain.records import Subscriber
from flows.selfcare import code
from gateway.pages.action_request import build_stranger_request
from gateway.pages.page_request import PageRequest

log = logging.getLogger("dialtree.pages")


async def mail_bill_code(request: PageRequest, number: str, key: str) -> None:
    """Send a code for the bill page to the confirmed e-mail address of a number (E.164), if it has one.

    Nothing tells the visitor whether it has: unknown numbers, lines without an address and those over the limit
    of codes end alike. Raises Unavailable when billing does not answer, whatever the number.
    """
    if not number:
        return  # what was typed is no number
    subscriber = await _find_subscriber(request, number)
    asked = build_stranger_request(request, number, subscriber, "bill", key)
    await code.mail_code(asked)
    log.info("pages.code_mail_requested", extra={"operator": request.operator})


async def _find_subscriber(request: PageRequest, number: str) -> Subscriber | None:
    try:
        return await request.ports.billing.get_subscriber(number)
    except NotFound:
        return None
