"""SMS flood guard (rate limit on replies per sender) and payment-card detection."""

from dataclasses import dataclass, field
from typing import Literal

from flows.domain.ports import Counters
from menus.machine.menu import Menu
from menus.model.facts import Count, Facts
from menus.model.session import Session
from menus.text.gsm import prepare_text, to_wire_text
from menus.text.input_parsing import is_card_like, parse_digits

WINDOW_SECONDS = 600.0
"""Window of the reply counters, from a sender's first message on."""
MAX_REPLIES = 20
"""Replies to one sender per window, whatever the messages say."""
MAX_HELP_REPLIES = {True: 1, False: 2}
"""Help replies per window to unrecognised texts: 1 to strangers (True), 2 to subscribers (False)."""
NOTICE_TEXTS = {"flood": "flood.paused", "help": "flood.unrecognised"}
"""Name of the text that announces silence, by the limit that was reached."""
MIN_CARD_DIGITS = 13
"""Digits of a payment card, at least. A screen that asks for a fixed number of digits from this length on
asks for something else (a SIRET has 14)."""


FloodVerdict = Literal["answer", "flood", "help", "silence"]
"""`flood` and `help`: the limit of that name is reached just now, which one last message announces."""


@dataclass(frozen=True, slots=True)
class FloodGuard:
    """Flood guard: counts replies per SMS sender over all processes and suppresses those over the limit."""

    counters: Counters = field(repr=False)

    async def judge_reply(
        self, operator: str, sender: str, *, stranger: bool, unrecognised: bool
    ) -> FloodVerdict:
        """Count a reply and return whether to send it; `unrecognised` texts have a lower limit."""
        who = f"{operator} {sender}"
        over = await self.counters.count_event("replies", who, WINDOW_SECONDS) - MAX_REPLIES
        if over > 0:
            return "flood" if over == 1 else "silence"
        if not unrecognised:
            return "answer"
        over = await self.counters.count_event("help", who, WINDOW_SECONDS) - MAX_HELP_REPLIES[stranger]
        if over > 0:
            return "help" if over == 1 else "silence"
        return "answer"


def announce_silence(menu: Menu, session: Session, verdict: FloodVerdict) -> str:
    """Return the text that says in the sender's language that no answer follows, and for how long at most."""
    if verdict not in NOTICE_TEXTS:
        return ""
    minutes: Facts = {"minutes": Count(round(WINDOW_SECONDS / 60))}
    words = menu.fill_text(NOTICE_TEXTS[verdict], session.language, "sms", minutes)
    return to_wire_text(prepare_text(words))


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
