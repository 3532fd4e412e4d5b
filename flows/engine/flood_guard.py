"""SMS flood guard (rate limit on replies per sender) and payment-card detection."""

from dataclasses import dataclass, field

from flows.domain.ports import Tallies
from menus.machine.menu import Menu
from menus.model.session import Session
from menus.text.input_parsing import as_digits, is_card_like

WINDOW_SECONDS = 600.0
"""Window of the reply counters, from a sender's first message on."""
MOST_REPLIES = 20
"""Replies to one sender per window, whatever the messages say."""
MOST_HELP = {True: 1, False: 2}
"""Help replies per window to unrecognised texts: 1 to strangers (True), 2 to subscribers (False)."""
CARD_LEAST = 13
"""Digits of a payment card, at least. A screen that asks for a fixed number of digits from this length on
asks for something else (a SIRET has 14)."""


@dataclass(frozen=True, slots=True)
class Manners:
    """Flood guard: counts replies per SMS sender over all processes and suppresses those over the limit."""

    tallies: Tallies = field(repr=False)

    async def silent(self, operator: str, sender: str, *, stranger: bool, lost: bool) -> bool:
        """Count a reply and return whether it must be suppressed; `unrecognised` texts have a lower limit."""
        who = f"{operator} {sender}"
        replies = await self.tallies.count("replies", who, WINDOW_SECONDS)
        help_replies = await self.tallies.count("help", who, WINDOW_SECONDS) if lost else 0
        return replies > MOST_REPLIES or help_replies > MOST_HELP[stranger]


def card(menu: Menu, session: Session, text: str) -> bool:
    """Return whether an answer looks like a payment card number where no long number is asked for."""
    if len(text) < CARD_LEAST or not is_card_like(text):
        return False
    accept = menu.nodes[session.state].accept
    is_long = accept is not None and accept.type == "digits" and accept.least == accept.most >= CARD_LEAST
    return not (is_long and accept and as_digits(text, accept.least, accept.most))


def lost(menu: Menu, session: Session, text: str) -> bool:
    """Return whether a text was answered with help only because no keyword matched it."""
    keywords = menu.keywords
    return session.state == keywords.form.otherwise and keywords.meaning(text) is None
