"""Action interface: the request a step's action gets, the outcome it returns, and the action table."""

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
"""Outcomes any action may return, because every failure maps to one of them."""
AS_OF = "as_of"
"""Fact with the day of a cached answer, shown when billing is down."""
BARRED = frozenset({"agency", "newcomer"})
"""Outcomes of the eligibility rules, checked before a private action runs."""


@dataclass(frozen=True, slots=True)
class World:
    """The ports of one operator, its clock and its random sources."""

    billing: Billing
    ledger: Ledger
    codes: Codes
    passwords: Passwords
    now: Callable[[], datetime]
    """Returns the current time, UTC."""
    today: Callable[[], date]
    """Returns the current day in the operator's time zone."""
    digits: Callable[[int], str]
    """Returns n random decimal digits from a cryptographic source."""
    token: Callable[[], str]
    """Returns a URL-safe token of at least 128 random bits."""
    links_url: str
    """Base URL of the operator's pages, e.g. `https://gw.example.net/orange-ro`."""


@value
class Ask:
    """Input of one action. `input_text` may be a secret: pass it to a port only, never store or log it."""

    menu: Menu = field(repr=False)
    world: World = field(repr=False)
    subscriber: Subscriber | None = field(repr=False)
    """The line's subscriber; None when the number is unknown or billing has not answered."""
    missing: type[Failure]
    """Failure that explains a missing subscriber."""
    caller: str = field(repr=False)
    """The phone in use, E.164; the line in question may be another."""
    channel: str
    language: str
    proofs: tuple[str, ...]
    given: str
    """The argument the screen passes to the action (`with:`)."""
    typed: str = field(repr=False)
    facts: Facts = field(repr=False)
    key: str
    """Idempotency key of this action in this request."""
    now: datetime
    subject: str = field(default="", repr=False)
    """The line's number (E.164), when it is not the caller's own."""
    trusted: bool = False
    """Whether the connection authenticates the phone in use, whatever the line."""

    @property
    def line(self) -> str:
        """The number (E.164) of the line in question."""
        return self.subject or self.caller

    def able(self, what: Capability) -> Billing:
        """Return billing if it has a capability; NotEligible otherwise, as no answer is not an empty one."""
        if what not in self.world.billing.capabilities:
            raise NotEligible
        return self.world.billing

    def known(self) -> Subscriber:
        """Return the subscriber, or raise why there is none. Every action on an account calls it first."""
        if self.subscriber is None:
            raise self.missing
        return self.subscriber

    @property
    def today(self) -> date:
        """Today in the operator's time zone."""
        return self.now.astimezone(ZoneInfo(self.menu.form.time_zone)).date()

    def words(self, name: str, facts: Facts, channel: str = "sms") -> str:
        """Render a catalogue text in the subscriber's language."""
        return self.menu.words(name, self.language, channel, facts)

    def sms(
        self, text: str, facts: Facts, kind: NoticeClass = "notice", life: timedelta | None = None
    ) -> Notice:
        """Build an SMS of the text `text` to the caller's own number, dropped after `lifetime`."""
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
        """Build an e-mail from the texts named `TEXT_notice` (body) and `TEXT_subject`."""
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
        """Build an entry for the consent record."""
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
        """Build the change set of this action under its idempotency key; `part` names one of several.

        It is for the line's own subscription unless `subscription` names another.
        """
        subscriber = self.known()
        return Change(
            self.key + part,
            subscriber.operator,
            subscription or subscriber.id,
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
        """Return the audit log entry of this action's change set."""
        request, _, node = self.key.rpartition("/")
        return Deed(self.menu.name, self.line, node, self.now, self.channel, "", outcome, request)

    def link(self, purpose: LinkPurpose, value: str, life: timedelta, opens: int = 1) -> Link:
        """Build a magic link with a new token, bound to the subscription."""
        subscriber, token = self.known(), Secret(self.world.token())
        return Link(token, purpose, subscriber.operator, subscriber.id, value, self.now + life, opens)


@dataclass(frozen=True, slots=True)
class Subject:
    """A switch to another line: its number and the kind the caller stated (empty for the caller's own)."""

    number: str = field(repr=False)
    kind: str = ""


@value
class Outcome:
    """Result of an action: an outcome name with an edge in the menu, and the next screen's facts."""

    name: str
    facts: Facts = field(default_factory=dict, repr=False)
    proof: str = ""
    """The proof of identity the subscriber has just given."""
    subject: Subject | None = field(default=None, repr=False)
    """The line to continue with, when it changes."""
    language: str = ""
    """The language to continue in, when it changes."""


@dataclass(frozen=True, slots=True)
class Action:
    """One row of a flow's table."""

    run: Callable[[Ask], Awaitable[Outcome]]
    outcomes: frozenset[str]
    private: bool = True
    """Whether it reads billing data or changes an account: its screens must then require a proof."""
    for_all: bool = False
    """Whether subscribers who are not eligible by the operator's rules may run it too."""
    later: bool = False
    """Whether it takes longer than a turn: it always runs as a deferred step, and the turn gets `slow`."""


def action(
    run: Callable[[Ask], Awaitable[Outcome]],
    outcomes: str,
    *,
    private: bool = True,
    for_all: bool = False,
    later: bool = False,
) -> Action:
    """Build a row: the function and its outcomes, besides those of failures and eligibility rules."""
    extra = BARRED if private and not for_all else frozenset[str]()
    return Action(run, frozenset(outcomes.split()) | ANY | extra, private, for_all, later)


Actions = Mapping[str, Action]
