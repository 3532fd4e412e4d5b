"""Action interface: the request a step's action gets, the outcome it returns, and the action table."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from flows.domain.credential_ports import OneTimeCodes, Passwords
from flows.domain.email_registration import Registration
from flows.domain.failures import Failure, NotEligible
from flows.domain.payment_ports import PaymentIntents, Payments, WalletPayments
from flows.domain.ports import Billing, Ledger
from flows.domain.promise_records import PaymentPromises
from flows.domain.purchase_ports import Charges, SpendPolicies
from flows.domain.records import (
    AuditEntry,
    Bill,
    Capability,
    ChangeSet,
    Consent,
    DeferredStep,
    LinkPurpose,
    MagicLink,
    MessageClass,
    OutboundMessage,
    Preference,
    Secret,
    Subscriber,
)
from flows.domain.ticket_records import Ticket
from menus.machine.menu import Menu
from menus.model.facts import Facts
from menus.model.value import value_dataclass
from menus.text.gsm import prepare_text, to_wire_text

COMMON_OUTCOMES = frozenset({"slow", "down", "unknown", "refused"})
"""Outcomes any action may return, because every failure maps to one of them."""
AS_OF = "as_of"
"""Fact with the day of a cached answer, shown when billing is down."""
INELIGIBLE_OUTCOMES = frozenset({"agency", "newcomer"})
"""Outcomes of the eligibility rules, checked before a private action runs."""


@dataclass(slots=True)
class OperatorPorts:
    """The ports of one operator, its clock and its random sources; one object, shared by all who use them."""

    billing: Billing
    ledger: Ledger
    codes: OneTimeCodes
    passwords: Passwords
    now: Callable[[], datetime]
    """Returns the current time, UTC."""
    today: Callable[[], date]
    """Returns the current day in the operator's time zone."""
    random_digits: Callable[[int], str]
    """Returns n random decimal digits from a cryptographic source."""
    random_token: Callable[[], str]
    """Returns a URL-safe token of at least 128 random bits."""
    links_url: str
    """Base URL of the operator's pages, e.g. `https://gw.example.net/orange-ro`."""
    on_code_withheld: Callable[[str, str], None] = lambda operator, reason: None
    """Called with operator and reason when a code is not sent because the SIM or the owner changed."""
    has_desk: bool = False
    """Whether tickets are passed on to the operator's help desk."""
    payments: Payments | None = field(default=None, repr=False)
    """The payment provider behind the link; None where bills are not paid by link."""
    wallet: WalletPayments | None = field(default=None, repr=False)
    """The wallet that bills are paid from; None where there is none."""
    takes_call_cards: bool = False
    """Whether one of the operator's voice connections takes cards in the call."""
    intents: PaymentIntents | None = field(default=None, repr=False)
    policies: SpendPolicies | None = field(default=None, repr=False)
    """What lines allow of purchases on the bill; None where there are none."""
    charges: Charges | None = field(default=None, repr=False)
    promises: PaymentPromises | None = field(default=None, repr=False)


@value_dataclass
class ActionRequest:
    """Input of one action. `input_text` may be a secret: pass it to a port only, never store or log it."""

    menu: Menu = field(repr=False)
    ports: OperatorPorts = field(repr=False)
    subscriber: Subscriber | None = field(repr=False)
    """The line's subscriber; None when the number is unknown or billing has not answered."""
    lookup_failure: type[Failure]
    """Failure that explains a missing subscriber."""
    caller: str = field(repr=False)
    """The phone in use, E.164; the line in question may be another."""
    channel: str
    language: str
    proofs: tuple[str, ...]
    argument: str
    """The argument the screen passes to the action (`with:`)."""
    input_text: str = field(repr=False)
    facts: Facts = field(repr=False)
    key: str
    """Idempotency key of this action in this request."""
    now: datetime
    subject: str = field(default="", repr=False)
    """The line's number (E.164), when it is not the caller's own."""
    is_caller_trusted: bool = False
    """Whether the connection authenticates the phone in use, whatever the line."""
    newest_bills: Sequence[Bill] | None = field(default=None, repr=False)
    """The newest bill of the subscriber, or none, as this turn's first read gave it; None where it did not."""

    @property
    def line(self) -> str:
        """The number (E.164) of the line in question."""
        return self.subject or self.caller

    @property
    def is_phone_proven(self) -> bool:
        """Whether the phone in use is proven itself: by its connection, or as the line of a private action."""
        return self.is_caller_trusted or not self.subject

    @property
    def requester(self) -> str:
        """Source of the request when it is not the line's own authenticated handset, else empty.

        Attempts and code requests of other sources are counted separately: they never use up the owner's (T11).
        """
        return self.requester_for(self.line)

    def requester_for(self, number: str) -> str:
        """Return who asks about a number, as `requester` does; callers who withhold theirs count as one."""
        if self.is_caller_trusted and number == self.caller:
            return ""
        return self.caller or "withheld"

    def billing_with(self, capability: Capability) -> Billing:
        """Return billing if it has a capability; NotEligible otherwise, as no answer is not an empty one."""
        if capability not in self.ports.billing.capabilities:
            raise NotEligible
        return self.ports.billing

    def require_subscriber(self) -> Subscriber:
        """Return the subscriber, or raise why there is none. Every action on an account calls it first."""
        if self.subscriber is None:
            raise self.lookup_failure
        return self.subscriber

    @property
    def today(self) -> date:
        """Today in the operator's time zone."""
        return self.now.astimezone(ZoneInfo(self.menu.config.time_zone)).date()

    def render_text(self, name: str, facts: Facts, channel: str = "sms") -> str:
        """Render a catalogue text in the subscriber's language."""
        return self.menu.fill_text(name, self.language, channel, facts)

    def build_sms(
        self, text: str, facts: Facts, kind: MessageClass = "notice", lifetime: timedelta | None = None
    ) -> OutboundMessage:
        """Build an SMS of the text `text` to the caller's own number, dropped after `lifetime`."""
        return OutboundMessage(
            key=f"{self.key}/{text}",
            operator=self.menu.name,
            to=self.caller,
            route="sms",
            kind=kind,
            body=to_wire_text(prepare_text(self.render_text(text, facts))),
            language=self.language,
            expires_at=self.now + lifetime if lifetime else None,
        )

    def build_email(self, text: str, to: str, facts: Facts) -> OutboundMessage:
        """Build an e-mail from the texts named `TEXT_notice` (body) and `TEXT_subject`."""
        return OutboundMessage(
            key=f"{self.key}/{text}",
            operator=self.menu.name,
            to=to,
            route="email",
            kind="notice",
            body=to_wire_text(self.render_text(f"{text}_notice", facts, "email")),
            language=self.menu.language_pack(self.language, "email").language,
            subject=to_wire_text(self.render_text(f"{text}_subject", facts, "email")),
        )

    def build_consent(self, purpose: str, text_name: str, *, is_given: bool) -> Consent:
        """Build an entry for the consent record."""
        return Consent(
            purpose, is_given, text_name, self.language, self.channel, ",".join(self.proofs) or "none"
        )

    def build_change(
        self,
        *,
        part: str = "",
        outcome: str = "ok",
        preference: Preference | None = None,
        consents: tuple[Consent, ...] = (),
        links: tuple[MagicLink, ...] = (),
        messages: tuple[OutboundMessage, ...] = (),
        deferred_steps: tuple[DeferredStep, ...] = (),
        tickets: tuple[Ticket, ...] = (),
        registration: Registration | None = None,
        subscription: str = "",
    ) -> ChangeSet:
        """Build the change set of this action under its idempotency key; `part` names one of several.

        It is for the line's own subscription unless `subscription` names another.
        """
        subscriber = self.require_subscriber()
        return ChangeSet(
            self.key + part,
            subscriber.operator,
            subscription or subscriber.id,
            self.now,
            outcome,
            preference,
            consents,
            registration,
            links,
            messages,
            deferred_steps,
            tickets,
            audit_entries=(self._audit_entry(outcome),),
        )

    def _audit_entry(self, outcome: str) -> AuditEntry:
        """Return the audit log entry of this action's change set."""
        request, _, node = self.key.rpartition("/")
        return AuditEntry(self.menu.name, self.line, node, self.now, self.channel, "", outcome, request)

    def build_link(
        self, purpose: LinkPurpose, value: str, lifetime: timedelta, opens_left: int = 1
    ) -> MagicLink:
        """Build a magic link with a new token, bound to the subscription; its page is in this language."""
        subscriber, token = self.require_subscriber(), Secret(self.ports.random_token())
        bound_to = (subscriber.operator, subscriber.id, value)
        return MagicLink(token, purpose, *bound_to, self.now + lifetime, opens_left, self.language)


@dataclass(frozen=True, slots=True)
class LineSwitch:
    """A switch to another line: its number and the kind the caller stated (empty for the caller's own)."""

    number: str = field(repr=False)
    kind: str = ""


@value_dataclass
class Outcome:
    """Result of an action: an outcome name with an edge in the menu, and the next screen's facts."""

    name: str
    facts: Facts = field(default_factory=dict, repr=False)
    proof: str = ""
    """The proof of identity the subscriber has just given."""
    line_switch: LineSwitch | None = field(default=None, repr=False)
    """The line to continue with, when it changes."""
    language: str = ""
    """The language to continue in, when it changes."""
    continues_earlier: bool = False
    """Whether the session that was dropped goes on, instead of following an edge."""


@dataclass(frozen=True, slots=True)
class Action:
    """One row of a flow's table."""

    run: Callable[[ActionRequest], Awaitable[Outcome]]
    outcomes: frozenset[str]
    is_private: bool = True
    """Whether it reads billing data or changes an account: its screens must then require a proof."""
    ignores_eligibility: bool = False
    """Whether subscribers who are not eligible by the operator's rules may run it too."""
    is_deferred: bool = False
    """Whether it takes longer than a turn: it always runs as a deferred step, and the turn gets `slow`."""
    capability: Capability | None = None
    """What billing must be able to tell: options that lead only here are not shown where it cannot."""
    changes_address: bool = False
    """Whether it takes a new address of bills or notices: its screens must then need `address`."""


def define_action(
    run: Callable[[ActionRequest], Awaitable[Outcome]],
    outcomes: str,
    *,
    is_private: bool = True,
    ignores_eligibility: bool = False,
    is_deferred: bool = False,
    capability: Capability | None = None,
    changes_address: bool = False,
) -> Action:
    """Build a row: the function and its outcomes, besides those of failures and eligibility rules."""
    extra = INELIGIBLE_OUTCOMES if is_private and not ignores_eligibility else frozenset[str]()
    return Action(
        run=run,
        outcomes=frozenset(outcomes.split()) | COMMON_OUTCOMES | extra,
        is_private=is_private,
        ignores_eligibility=ignores_eligibility,
        is_deferred=is_deferred,
        capability=capability,
        changes_address=changes_address,
    )
