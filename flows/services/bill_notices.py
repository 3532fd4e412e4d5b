"""Bill notices: announce issued bills by each subscriber's notification preference (R3, B10)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from flows.domain.pseudonyms import Keys
from flows.domain.records import Bill, Notice, Preference, Subscriber
from flows.services.email_validation import own
from menus.machine.menu import Menu
from menus.model.facts import Facts, Money, Month, Text
from menus.text.gsm import plain, prepare

LIFE = timedelta(days=5)
"""A notice not sent within this time expires."""
RECENT = timedelta(days=31)
"""Bills issued longer ago are not announced."""
MORNING = time(9)
"""Local time of the notice for bills published some days after issue (`publish_delay_days`)."""
TOLD = frozenset({"due", "part", "overdue", "paid"})
"""Bill states that are announced; credit notes and cancelled bills are not."""
TEXTS_BY_SMS = frozenset({"mobile"})
"""Kinds of line that can receive an SMS."""
TOTAL = "{total}"
"""Placeholder of the amount in a cached text."""

Route = Literal["sms", "email"]


@dataclass(slots=True)
class Announcer:
    """Builds the notices of one operator's bills; texts are cached, as bills of a month share them."""

    menu: Menu = field(repr=False)
    keys: Keys = field(repr=False)
    kept: dict[tuple[object, ...], tuple[str, str]] = field(default_factory=dict, repr=False)

    def notices(self, bill: Bill, holder: Subscriber, chosen: Preference, now: datetime) -> tuple[Notice, ...]:
        """Return the notices of a bill; none for one too old or cancelled, nor to unconfirmed addresses.

        Their idempotency keys name bill, subscription and route, so each is sent once however often built.
        """
        if bill.state not in TOLD or bill.issued < self._today(now) - RECENT:
            return ()
        language = self.menu.language(chosen.language or holder.language)
        return tuple(
            self._notice(bill, holder, route, to, self.menu.tongue(language, route).language, now)
            for route, to in ways(holder, chosen)
        )

    def key(self, bill: Bill, holder: Subscriber) -> str:
        """Return the idempotency key: keyed hashes, because receipts and audit log keep keys after `erase`.

        The subscription's hash comes first, so that `erase` finds messages to addresses only billing knows.
        """
        operator = holder.operator
        return f"{self.keys.mark(operator, holder.id)}/bill/{self.keys.mark(operator, bill.id)}"

    def _today(self, now: datetime) -> date:
        return now.astimezone(ZoneInfo(self.menu.form.time_zone)).date()

    def _notice(
        self, bill: Bill, holder: Subscriber, route: Route, to: str, language: str, now: datetime
    ) -> Notice:
        subject, body = self._words(bill, route, language)
        due_at = self._published(bill, now)
        return Notice(
            key=f"{self.key(bill, holder)}/{route}",
            operator=holder.operator,
            to=to,
            route=route,
            kind="notice",
            body=body,
            language=language,
            subject=subject,
            due_at=due_at,
            expires_at=(due_at or now) + LIFE,
        )

    def _published(self, bill: Bill, now: datetime) -> datetime | None:
        """Return when the operator's rules publish the bill (B1); None when it is published already."""
        delay = self.menu.form.rules.publish_delay_days
        if not delay:
            return None
        day = bill.issued + timedelta(days=delay)
        opens = datetime.combine(day, MORNING, ZoneInfo(self.menu.form.time_zone))
        return opens if opens > now else None

    def _words(self, bill: Bill, route: Route, language: str) -> tuple[str, str]:
        """Return subject and body; they do not identify the subscriber."""
        key = (bill.issued.year, bill.issued.month, bill.due, route, language)
        texts = self.kept.get(key)
        if texts is None:
            texts = self.kept[key] = self._written(bill, route, language)
        subject, body = texts
        return subject, body.replace(TOTAL, self._total(bill.total, language))

    def _total(self, total: Decimal, language: str) -> str:
        """Format an amount for a text."""
        return plain(prepare(self.menu.tongues[language].show(Money(total), "sms")))

    def _written(self, bill: Bill, route: Route, language: str) -> tuple[str, str]:
        """Render subject and body shared by a month's bills due on one day, with a placeholder amount."""
        facts: Facts = {"month": Month.of(bill.issued), "total": Text(TOTAL), "due": bill.due}
        if route == "sms":
            return "", plain(prepare(self.menu.words("billday.sms_notice", language, "sms", facts)))
        subject, body = (
            plain(self.menu.words(f"billday.email_{part}", language, "email", facts))
            for part in ("subject", "notice")
        )
        return subject, body


def ways(holder: Subscriber, chosen: Preference) -> Iterator[tuple[Route, str]]:
    """Yield the routes and recipients a subscriber chose; SMS until an e-mail address is validated."""
    address, validated = own(chosen, holder)
    by_sms, by_email = holder.kind in TEXTS_BY_SMS, bool(address) and validated
    choice = chosen.notify or "sms"
    if by_email and (choice in ("email", "both") or not by_sms):
        yield "email", address
    if by_sms and (choice in ("sms", "both") or not by_email):
        yield "sms", holder.msisdn
