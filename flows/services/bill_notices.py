"""The billing day: what goes out when a bill is issued, by each subscriber's own choice (R3, B10)."""

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
"""A notice older than this tells nobody anything new."""
RECENT = timedelta(days=31)
"""A bill older than this is not announced any more."""
MORNING = time(9)
"""When bills are announced that the rules publish some days after their issue, in the operator's time zone."""
TOLD = frozenset({"due", "part", "overdue", "paid"})
"""States of bills that are announced; credit notes and cancelled bills are not."""
TEXTS_BY_SMS = frozenset({"mobile"})
"""Kinds of line that can receive a text."""
TOTAL = "{total}"
"""Where the amount comes in a text that is kept."""

Route = Literal["sms", "email"]


@dataclass(slots=True)
class Announcer:
    """Writes the notices of one operator's bills. Bills of a month read alike: their texts are kept."""

    menu: Menu = field(repr=False)
    keys: Keys = field(repr=False)
    kept: dict[tuple[object, ...], tuple[str, str]] = field(default_factory=dict, repr=False)

    def notices(self, bill: Bill, holder: Subscriber, chosen: Preference, now: datetime) -> tuple[Notice, ...]:
        """What to send of a bill: nothing of one too old, cancelled, or to addresses nobody confirmed.

        The keys mark bill, subscription and route, so that however often it is asked for, it goes out once.
        """
        if bill.state not in TOLD or bill.issued < self._today(now) - RECENT:
            return ()
        language = self.menu.language(chosen.language or holder.language)
        return tuple(
            self._notice(bill, holder, route, to, self.menu.tongue(language, route).language, now)
            for route, to in ways(holder, chosen)
        )

    def key(self, bill: Bill, holder: Subscriber) -> str:
        """A bill and its subscription, by keyed marks: receipts and the audit trail keep keys after `erase`.

        The subscription's comes first, by which `erase` finds what was sent to addresses only billing knows.
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
        """When the operator's rules let the bill be seen (B1); None when they do already."""
        delay = self.menu.form.rules.publish_delay_days
        if not delay:
            return None
        day = bill.issued + timedelta(days=delay)
        opens = datetime.combine(day, MORNING, ZoneInfo(self.menu.form.time_zone))
        return opens if opens > now else None

    def _words(self, bill: Bill, route: Route, language: str) -> tuple[str, str]:
        """Subject and body; nothing in them says whose bill it is."""
        key = (bill.issued.year, bill.issued.month, bill.due, route, language)
        found = self.kept.get(key)
        if found is None:
            found = self.kept[key] = self._written(bill, route, language)
        subject, body = found
        return subject, body.replace(TOTAL, self._total(bill.total, language))

    def _total(self, total: Decimal, language: str) -> str:
        """An amount as it stands in a text."""
        return plain(prepare(self.menu.tongues[language].show(Money(total), "sms")))

    def _written(self, bill: Bill, route: Route, language: str) -> tuple[str, str]:
        """The texts of all bills of a month that are due on one day, the amount left open."""
        facts: Facts = {"month": Month.of(bill.issued), "total": Text(TOTAL), "due": bill.due}
        if route == "sms":
            return "", plain(prepare(self.menu.words("billday.sms_notice", language, "sms", facts)))
        subject, body = (
            plain(self.menu.words(f"billday.email_{part}", language, "email", facts))
            for part in ("subject", "notice")
        )
        return subject, body


def ways(holder: Subscriber, chosen: Preference) -> Iterator[tuple[Route, str]]:
    """The routes and addresses a subscriber chose; by SMS until an e-mail address is confirmed."""
    address, validated = own(chosen, holder)
    texts, mails = holder.kind in TEXTS_BY_SMS, bool(address) and validated
    wanted = chosen.notify or "sms"
    if mails and (wanted in ("email", "both") or not texts):
        yield "email", address
    if texts and (wanted in ("sms", "both") or not mails):
        yield "sms", holder.msisdn
