"""Manners: what is not answered, so that nobody pays for loops and floods, and cards that go nowhere."""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from menus.menu import Menu
from menus.session import Session
from menus.typed import as_digits, is_card_like

WINDOW = timedelta(minutes=10)
MOST_REPLIES = 20
"""Texts answered to one sender in a window, whatever they say."""
MOST_HELP = {True: 1, False: 2}
"""Texts we make nothing of that are answered with help: a stranger's, a subscriber's."""
MOST_SENDERS = 50_000
"""Senders remembered; the longest unheard go first."""
CARD_LEAST = 13
"""Digits; an input of exactly so many or more asks for something that is no card (a SIRET has 14)."""


@dataclass(slots=True)
class _Pace:
    since: datetime
    replies: int = 0
    help: int = 0


@dataclass(slots=True)
class Manners:
    """How much each sender of texts was answered lately, in this process."""

    paces: OrderedDict[str, _Pace] = field(default_factory=OrderedDict, repr=False)
    """By keyed hash of operator and number."""

    def silent(self, sender: str, now: datetime, *, stranger: bool, lost: bool) -> bool:
        """Count a reply; True when it is better not given. `lost`: we made nothing of the text."""
        pace = self.paces.get(sender)
        if pace is None or now - pace.since >= WINDOW:
            pace = self.paces[sender] = _Pace(now)
        self.paces.move_to_end(sender)
        if len(self.paces) > MOST_SENDERS:
            self.paces.popitem(last=False)
        pace.replies += 1
        pace.help += lost
        return pace.replies > MOST_REPLIES or (lost and pace.help > MOST_HELP[stranger])


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
