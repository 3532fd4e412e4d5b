"""Actions: what a step is given, what it may answer, and the table that names it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from flows.domain.failures import Failure, NotEligible
from flows.domain.ports import Billing, Codes, Ledger, Passwords
from flows.domain.records import (
    Capability,
    Change,
    Consent,
    Deed,
    Errand,
    Link,
    LinkPurpose,
    Notice,
    NoticeClass,
    Preference,
    Registration,
    Secret,
    Subscriber,
    Ticket,
)
from menus.machine.menu import Menu
from menus.model.facts import Facts
from menus.model.value import value
from menus.text.gsm import plain, prepare

ANY = frozenset({"slow", "down", "unknown", "refused"})
"""Outcomes every action may answer, because every failure has one of them."""
AS_OF = "as_of"
"""The fact that holds the day of an answer which is not today's."""
BARRED = frozenset({"agency", "newcomer"})
"""Outcomes of the rules on who may use the service, answered before a private action runs."""


@dataclass(frozen=True, slots=True)
class World:
    """The ports of one operator, the clock and the sources of chance."""

    billing: Billing
    ledger: Ledger
    codes: Codes
    passwords: Passwords
    now: Callable[[], datetime]
    """The instant, UTC."""
    today: Callable[[], date]
    """The day in the operator's time zone."""
    digits: Callable[[int], str]
    """So many random decimal digits, from a cryptographic source."""
    token: Callable[[], str]
    """A URL-safe token of at least 128 random bits."""
    links_url: str
    """Where the operator's pages are, e.g. `https://gw.example.net/orange-ro`."""


@value
class Ask:
    """What one action is given. `typed` may be a secret: it goes nowhere but into a port."""

    menu: Menu = field(repr=False)
    world: World = field(repr=False)
    subscriber: Subscriber | None = field(repr=False)
    """Who stands behind the line; None when the number is nobody's, or billing has not said."""
    missing: type[Failure]
    """Why there is no subscriber."""
    caller: str = field(repr=False)
    """The phone in use: the line it is about may be another."""
    channel: str
    language: str
    proofs: tuple[str, ...]
    given: str
    """The word the screen hands to the action (`with:`)."""
    typed: str = field(repr=False)
    facts: Facts = field(repr=False)
    key: str
    """Idempotency key of this action in this hop."""
    now: datetime
    subject: str = field(default="", repr=False)
    """The number it is about, when that is not the caller's own."""
    trusted: bool = False
    """Does the connection prove the phone in use, whatever the line?"""

    @property
    def line(self) -> str:
        """The number it is about."""
        return self.subject or self.caller

    def able(self, what: Capability) -> Billing:
        """Billing, when it can do this; NotEligible when it cannot, for no answer is not an empty one."""
        if what not in self.world.billing.capabilities:
            raise NotEligible
        return self.world.billing

    def known(self) -> Subscriber:
        """The subscriber, or why there is none: every action on an account begins here."""
        if self.subscriber is None:
            raise self.missing
        return self.subscriber

    @property
    def today(self) -> date:
        """Today in the operator's time zone."""
        return self.now.astimezone(ZoneInfo(self.menu.form.time_zone)).date()

    def words(self, name: str, facts: Facts, channel: str = "sms") -> str:
        """A catalogue text in the subscriber's language."""
        return self.menu.words(name, self.language, channel, facts)

    def sms(
        self, text: str, facts: Facts, kind: NoticeClass = "notice", life: timedelta | None = None
    ) -> Notice:
        """A notice to the caller's own number."""
        return Notice(
            key=f"{self.key}/{text}",
            operator=self.menu.name,
            to=self.caller,
            route="sms",
            kind=kind,
            body=plain(prepare(self.words(text, facts))),
            language=self.language,
            expires_at=self.now + life if life else None,
        )

    def email(self, text: str, to: str, facts: Facts) -> Notice:
        """A notice to an e-mail address, its subject being the text named `TEXT_subject`."""
        return Notice(
            key=f"{self.key}/{text}",
            operator=self.menu.name,
            to=to,
            route="email",
            kind="notice",
            body=plain(self.words(f"{text}_notice", facts, "email")),
            language=self.menu.tongue(self.language, "email").language,
            subject=plain(self.words(f"{text}_subject", facts, "email")),
        )

    def consent(self, what: str, text: str, *, given: bool) -> Consent:
        """A line for the consent record."""
        return Consent(what, given, text, self.language, self.channel, ",".join(self.proofs) or "none")

    def change(
        self,
        *,
        part: str = "",
        outcome: str = "ok",
        preference: Preference | None = None,
        consents: tuple[Consent, ...] = (),
        links: tuple[Link, ...] = (),
        notices: tuple[Notice, ...] = (),
        errands: tuple[Errand, ...] = (),
        tickets: tuple[Ticket, ...] = (),
        registration: Registration | None = None,
        subscription: str = "",
    ) -> Change:
        """All that this action writes, under its idempotency key; `part` names one of several writes.

        For the line's own subscription, unless another is named.
        """
        known = self.known()
        return Change(
            self.key + part,
            known.operator,
            subscription or known.id,
            self.now,
            outcome,
            preference,
            consents,
            registration,
            links,
            notices,
            errands,
            tickets,
            deeds=(self._deed(outcome),),
        )

    def _deed(self, outcome: str) -> Deed:
        """What the audit trail says of this action's change."""
        hop, _, node = self.key.rpartition("/")
        return Deed(self.menu.name, self.line, node, self.now, self.channel, "", outcome, hop)

    def link(self, purpose: LinkPurpose, value: str, life: timedelta, opens: int = 1) -> Link:
        """A fresh short link bound to the subscription."""
        known, token = self.known(), Secret(self.world.token())
        return Link(token, purpose, known.operator, known.id, value, self.now + life, opens)


@dataclass(frozen=True, slots=True)
class Subject:
    """A line to turn to: its number, and its kind as it was said (empty for the caller's own)."""

    number: str = field(repr=False)
    kind: str = ""


@value
class Outcome:
    """What an action answers: a name with an edge in the table, and the facts the next screen shows."""

    name: str
    facts: Facts = field(default_factory=dict, repr=False)
    proof: str = ""
    """What the subscriber has just proven."""
    subject: Subject | None = field(default=None, repr=False)
    """The line to go on with, where it is another than before."""
    language: str = ""
    """The language to go on in."""


@dataclass(frozen=True, slots=True)
class Action:
    """One row of a flow's table."""

    run: Callable[[Ask], Awaitable[Outcome]]
    outcomes: frozenset[str]
    private: bool = True
    """Does it touch billing data or change an account? Then its screens must ask for a proof."""
    for_all: bool = False
    """Is it also for subscribers whom the operator's rules leave out?"""
    later: bool = False
    """Is it too long for a turn? Then it always becomes an errand, and the turn is answered `slow`."""


def action(
    run: Callable[[Ask], Awaitable[Outcome]],
    outcomes: str,
    *,
    private: bool = True,
    for_all: bool = False,
    later: bool = False,
) -> Action:
    """A row: the function, and the outcomes it may answer besides those of failures and rules."""
    barring = BARRED if private and not for_all else frozenset[str]()
    return Action(run, frozenset(outcomes.split()) | ANY | barring, private, for_all, later)


Actions = Mapping[str, Action]
