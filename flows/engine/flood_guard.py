"""SMS flood guard (rate limit on replies per sender) and payment-card detection."""

from dataclasses import dataclass, field

from flows.domain.ports import Counters
from menus.machine.menu import Menu
from menus.model.session import Session
from menus.text.input_parsing import is_card_like, parse_digits

WINDOW_SECONDS = 600.0
"""Window of the reply counters, from a sender's first message on."""
MAX_REPLIES = 20
"""Replies to one sender per window, whatever the messages say."""
MAX_HELP_REPLIES = {True: 1, False: 2}
"""Help replies per window to unrecognised texts: 1 to strangers (True), 2 to subscribers (False)."""
MIN_CARD_DIGITS = 13
"""Digits of a payment card, at least. A screen that asks for a fixed number of digits from this length on
asks for something else (a SIRET has 14)."""


@dataclass(frozen=True, slots=True)
class FloodGuard:
    """Flood guard: counts replies per SMS sender over all processes and suppresses those over the limit."""

    counters: Counters = field(repr=False)

    async def should_suppress_reply(
        self, operator: str, sender: str, *, stranger: bool, unrecognised: bool
    ) -> bool:
        """Count a reply and return whether it must be suppressed; `unrecognised` texts have a lower limit."""
        who = f"{operator} {sender}"
        replies = await self.counters.count_event("replies", who, WINDOW_SECONDS)
        help_replies = await self.counters.count_event("help", who, WINDOW_SECONDS) if unrecognised else 0
        return replies > MAX_REPLIES or help_replies > MAX_HELP_REPLIES[stranger]


def looks_like_card(menu: Menu, session: Session, text: str) -> bool:
    """Return whether an answer looks like a payment card number where no long number is asked for."""
    if len(text) < MIN_CARD_DIGITS or not is_card_like(text):
        return False
    accept = menu.nodes[session.state].accept
    is_long = accept is not None and accept.type == "digits" and accept.least == accept.most >= MIN_CARD_DIGITS
    return not (is_long and accept and parse_digits(text, accept.least, accept.most))


def is_unrecognised(menu: Menu, session: Session, text: str) -> bool:
    """Return whether a text was answered with help only because no keyword matched it."""
    keywords = menu.keywords
    return session.state == keywords.config.otherwise and keywords.match_keyword(text) is None
