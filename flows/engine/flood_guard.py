"""Manners: what is not answered, so that nobody pays for loops and floods, and cards that go nowhere."""

from dataclasses import dataclass, field

from flows.domain.ports import Tallies
from menus.machine.menu import Menu
from menus.model.session import Session
from menus.text.input_parsing import as_digits, is_card_like

WINDOW_SECONDS = 600.0
MOST_REPLIES = 20
"""Messages answered to one sender in a window, whatever they say."""
MOST_HELP = {True: 1, False: 2}
"""Messages we make nothing of that are answered with help: a stranger's, a subscriber's."""
CARD_LEAST = 13
"""Digits; an input of exactly so many or more asks for something that is no card (a SIRET has 14)."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How much each sender of messages was answered lately, by all processes together."""

    tallies: Tallies = field(repr=False)

    async def silent(self, operator: str, sender: str, *, stranger: bool, lost: bool) -> bool:
        """Count a reply; True when it is better not given. `lost`: we made nothing of the message."""
        who = f"{operator} {sender}"
        replies = await self.tallies.count("replies", who, WINDOW_SECONDS)
        help = await self.tallies.count("help", who, WINDOW_SECONDS) if lost else 0
        return replies > MOST_REPLIES or help > MOST_HELP[stranger]


def card(menu: Menu, session: Session, text: str) -> bool:
    """Does this look like a payment card where no long number is asked for?"""
    if len(text) < CARD_LEAST or not is_card_like(text):
        return False
    accept = menu.nodes[session.state].accept
    asked = accept is not None and accept.type == "digits" and accept.least == accept.most >= CARD_LEAST
    return not (asked and accept and as_digits(text, accept.least, accept.most))


def lost(menu: Menu, session: Session, text: str) -> bool:
    """Was this text answered with help only because it meant nothing?"""
    keywords = menu.keywords
    return session.state == keywords.form.otherwise and keywords.meaning(text) is None
