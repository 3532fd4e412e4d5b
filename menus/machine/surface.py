"""Channel capabilities (surfaces): page size and navigation keys of USSD, SMS and voice."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from menus.model.reply import Channel
from menus.text.paginate import PageBudget


@dataclass(frozen=True, slots=True)
class Surface:
    """A channel's page size and its navigation keys; an empty key is not offered."""

    channel: Channel
    budget: PageBudget
    """Largest page. USSD: 160 of the 182 septets a network carries, since some networks append text and
    some handsets cut at 160. SMS: two concatenated segments."""
    back: str = ""
    home: str = ""
    leave: str = ""
    """Ends the session from the home screen, where there is nothing to go back to."""
    more: str = ""
    wide_more: str = ""
    """Replaces `more` on a screen whose own options use that key."""
    repeat: str = ""
    agent: str = ""
    is_message_based: bool = False
    """Whether each reply is a message of its own (SMS): it costs money, the sender may be a machine, and the
    conversation has no end."""


SURFACES: Mapping[str, Surface] = {
    "ussd": Surface("ussd", PageBudget(160, 70), back="0", home="00", leave="0", more="9", wide_more="99"),
    "sms": Surface(
        "sms", PageBudget(306, 134), back="0", home="00", more="9", wide_more="99", is_message_based=True
    ),
    "voice": Surface(
        "voice", PageBudget(100_000, 100_000), back="*", repeat="#", agent="0", more="9", wide_more="99"
    ),
}
"""Surface by channel. Voice is paged by list rows only; its budget just bounds a text of excessive length."""


SMALLEST_PAGE = "128/56"
"""Page size every pack is checked at: what fits there fits on every USSD connection.

osmo-hlr drops a text of more than 112 octets, 128 septets, without a word (measured, versions 1.5 and 1.9).
"""
LARGEST_PAGE = "182/80"
"""A USSD string has 160 octets (3GPP TS 23.038): 182 septets or 80 UTF-16 code units."""
PAGE_SIZE_PATTERN = r"[1-9][0-9]{2}/[1-9][0-9]"


def page_budget(channel: str, page_size: str = "") -> PageBudget:
    """Return the page budget of a channel, or that of a connection with a page size of its own."""
    return parse_page_size(page_size) if page_size else SURFACES[channel].budget


@lru_cache(maxsize=64)
def parse_page_size(page_size: str) -> PageBudget:
    """Return the budget a page size such as `128/56` (septets/UCS-2 code units) stands for; else ValueError."""
    septets, _, units = page_size.partition("/")
    return PageBudget(int(septets), int(units))
