"""Back to paper bills, to the postal address on file or another one entered on a web page."""

import json
from dataclasses import replace
from datetime import timedelta

from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.domain.bill_delivery import BillDestination
from flows.services.bill_media import switch_media
from menus.model.facts import Text

LINK_LIFETIME = timedelta(hours=72)


async def revert_to_paper(request: ActionRequest) -> Outcome:
    """Switch to paper bills to the address on file and withdraw the e-bill consent (R14)."""
    return await switch_media(request, BillDestination("paper"), "paper")


async def send_address_link(request: ActionRequest) -> Outcome:
    """Send an SMS link to a page that takes another postal address, hard to enter on a keypad.

    It goes to the line itself: whoever opens it has the line, and needs no other code for a new address.
    """
    account = json.dumps([request.require_subscriber().account, request.line])
    magic_link = request.build_link("address", account, LINK_LIFETIME)
    url = f"{request.ports.links_url}/address#{magic_link.token.value}"
    notice = request.build_sms("paper.link_notice", {"link": Text(url)}, "reply", LINK_LIFETIME)
    notice = replace(notice, to=request.line)
    return Outcome(
        await request.ports.ledger.commit(request.build_change(links=(magic_link,), messages=(notice,)))
    )


def parse_address_link(value: str) -> tuple[str, str]:
    """Return the account and the number of a link's line; no number for links of earlier releases.

    ValueError when the value is no link's.
    """
    try:
        account, line = json.loads(value) if value.startswith("[") else (value, "")
    except RecursionError as error:
        raise ValueError("the stored link value is nested too deeply") from error
    return str(account), str(line)


ACTIONS = {
    "paper.revert": define_action(revert_to_paper, "ok already"),
    "paper.link": define_action(send_address_link, "ok"),
}
