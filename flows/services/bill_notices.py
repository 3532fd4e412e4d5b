"""Bill notices: announce issued bills by each subscriber's notification preference (T9, R3, B10)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from flows.domain.bill_mail import LINK_SLOT, BillEnclosure, carry_bill
from flows.domain.pseudonyms import Pseudonyms
from flows.domain.records import Bill, OutboundMessage, Preference, Subscriber
from flows.services.eligibility import is_refused_business, must_wait
from flows.services.email_validation import email_of
from menus.machine.menu import Menu
from menus.model.facts import Facts, Month, Text
from menus.text.gsm import prepare_text, to_wire_text

NOTICE_LIFETIME = timedelta(days=5)
"""A notice not sent within this time expires."""
MAX_BILL_AGE = timedelta(days=31)
"""Bills issued longer ago are not announced."""
ANNOUNCEMENT_TIME = time(9)
"""Local time of the notice for bills published some days after issue (`publish_delay_days`)."""
SMS_LINE_KINDS = frozenset({"mobile"})
"""Kinds of line that can receive an SMS."""
AMOUNT_PLACEHOLDERS = ("{total}", "{remaining}")
"""Placeholders of the amounts in a cached text."""

MAX_NOTICES_PER_BILL = 2
"""By SMS and by e-mail."""
CACHED_AMOUNTS = 8_192
"""Formatted amounts kept, about 200 bytes each."""

MessageRoute = Literal["sms", "email"]
NoticePrefix = Literal["", "part_", "overdue_", "paid_", "zero_", "credit_", "cancelled_"]
"""Prefix of the text's name: all is to be paid, a part of it, late, or nothing, and why not."""


@dataclass(slots=True)
class BillAnnouncer:
    """Builds the notices of one operator's bills; texts are cached, as bills of a month share them."""

    menu: Menu = field(repr=False)
    pseudonyms: Pseudonyms = field(repr=False)
    text_cache: dict[tuple[object, ...], tuple[str, str]] = field(default_factory=dict, repr=False)
    local_day: Callable[[datetime], date] = field(init=False, repr=False)
    """Returns the operator's day of an instant; a page of bills has one."""
    amount_text: Callable[[Decimal, str], str] = field(init=False, repr=False)
    """Returns an amount as texts of a language show it; a tariff has the same on many bills."""

    def __post_init__(self) -> None:
        self.local_day = lru_cache(maxsize=1)(self._local_day)
        self.amount_text = lru_cache(maxsize=CACHED_AMOUNTS)(self._format_amount)

    def build_notices(
        self, bill: Bill, holder: Subscriber, preference: Preference, now: datetime
    ) -> tuple[OutboundMessage, ...]:
        """Return the notices of a bill; none for one too old, nor to unconfirmed addresses, nor to lines that
        the operator's rules refuse. Bills by e-mail go with it, where the operator leaves that to the gateway.

        Their idempotency keys name bill, subscription and route, so each is sent once however often built.
        """
        if not self._is_announced(bill, holder, self.local_day(now)):
            return ()
        language = self.menu.supported_language(preference.language or holder.language)
        carries_bill = self.carries_bill(holder)
        return tuple(
            self._build_notice(bill, holder, route, to, self.menu.language_pack(language, route).language, now)
            for route, to in notice_routes(holder, preference, carries_bill=carries_bill)
        )

    def carries_bill(self, holder: Subscriber) -> bool:
        """Return whether the e-mail of the billing day carries the bill itself."""
        return holder.media == "email" and self.menu.config.rules.bill_sender == "gateway"

    def _is_announced(self, bill: Bill, holder: Subscriber, today: date) -> bool:
        rules = self.menu.config.rules
        if is_refused_business(holder, rules) or must_wait(holder, rules, today):
            return False
        return bill.issued >= today - MAX_BILL_AGE

    def notice_key(self, bill: Bill, holder: Subscriber) -> str:
        """Return the idempotency key: keyed hashes, because receipts and audit log keep keys after `erase`.

        The subscription's hash comes first, so that `erase` finds messages to addresses only billing knows.
        That a bill is cancelled is another notice than that it is there.
        """
        operator = holder.operator
        keyed_hash = self.pseudonyms.keyed_hash
        what = "cancelled" if bill.state == "cancelled" else "bill"
        return f"{keyed_hash(operator, holder.id)}/{what}/{keyed_hash(operator, bill.id)}"

    def _local_day(self, now: datetime) -> date:
        return now.astimezone(ZoneInfo(self.menu.config.time_zone)).date()

    def _build_notice(
        self, bill: Bill, holder: Subscriber, route: MessageRoute, to: str, language: str, now: datetime
    ) -> OutboundMessage:
        subject, body = self._notice_texts(bill, route, language, self.local_day(now))
        due_at = self._publication_time(bill, now)
        notice = OutboundMessage(
            key=f"{self.notice_key(bill, holder)}/{route}",
            operator=holder.operator,
            to=to,
            route=route,
            kind="notice",
            body=body,
            language=language,
            subject=subject,
            due_at=due_at,
            expires_at=(due_at or now) + NOTICE_LIFETIME,
            is_unprompted=True,
        )
        return self._with_bill(notice, bill, holder) if route == "email" else notice

    def _with_bill(self, mail: OutboundMessage, bill: Bill, holder: Subscriber) -> OutboundMessage:
        """Return the mail with the bill in it, or saying who sends that; a mail to a paper customer as it is.

        A cancelled bill is told of and not sent.
        """
        if holder.media != "email" or bill.state == "cancelled":
            return mail
        if not self.carries_bill(holder):
            return replace(mail, body=f"{mail.body}\n\n{self._paragraph('billing', mail.language)}")
        enclosure = BillEnclosure(
            account=bill.account,
            bill_id=bill.id,
            number=bill.number,
            subscription=holder.id,
            msisdn=holder.msisdn,
            is_mobile=holder.kind in SMS_LINE_KINDS,
            attached_text=self._paragraph("attached", mail.language),
            link_text=self._paragraph("link", mail.language),
            is_link=not self.menu.config.rules.bill_attached,
        )
        return carry_bill(mail, enclosure)

    def _paragraph(self, name: str, language: str) -> str:
        """Return a paragraph about the bill itself, with the place of a link left open."""
        facts: Facts = {"link": Text(LINK_SLOT)}
        return to_wire_text(self.menu.fill_text(f"billday.{name}_email_notice", language, "email", facts))

    def _publication_time(self, bill: Bill, now: datetime) -> datetime | None:
        """Return when the operator's rules publish the bill (B1); None when it is published already."""
        delay = self.menu.config.rules.publish_delay_days
        if not delay:
            return None
        day = bill.issued + timedelta(days=delay)
        opens = datetime.combine(day, ANNOUNCEMENT_TIME, ZoneInfo(self.menu.config.time_zone))
        return opens if opens > now else None

    def _notice_texts(self, bill: Bill, route: MessageRoute, language: str, today: date) -> tuple[str, str]:
        """Return subject and body; they do not identify the subscriber."""
        prefix = notice_prefix(bill, today)
        key = (bill.issued.year, bill.issued.month, bill.due, route, language, prefix)
        texts = self.text_cache.get(key)
        if texts is None:
            texts = self.text_cache[key] = self._render_texts(bill, route, language, prefix)
        subject, body = texts
        for placeholder, amount in zip(AMOUNT_PLACEHOLDERS, (abs(bill.total), bill.remaining), strict=True):
            if placeholder in body:
                body = body.replace(placeholder, self.amount_text(amount, language))
        return subject, body

    def _format_amount(self, amount: Decimal, language: str) -> str:
        """Format an amount for a text."""
        formatter = self.menu.language_packs[language].written_formatter
        return to_wire_text(prepare_text(formatter.format_money(amount)))

    def _render_texts(
        self, bill: Bill, route: MessageRoute, language: str, prefix: NoticePrefix
    ) -> tuple[str, str]:
        """Render subject and body shared by a month's bills due on one day, with placeholder amounts."""
        total, remaining = map(Text, AMOUNT_PLACEHOLDERS)
        facts: Facts = {
            "month": Month.from_date(bill.issued),
            "total": total,
            "remaining": remaining,
            "due": bill.due,
        }
        if route == "sms":
            return "", to_wire_text(
                prepare_text(self.menu.fill_text(f"billday.{prefix}sms_notice", language, "sms", facts))
            )
        subject, body = (
            to_wire_text(self.menu.fill_text(f"billday.{name}", language, "email", facts))
            for name in ("email_subject", f"{prefix}email_notice")
        )
        return subject, body


def notice_prefix(bill: Bill, today: date) -> NoticePrefix:
    """Return which text announces a bill: what remains is told, not the total, and nothing of a paid one.

    A bill whose last day to pay has passed is not said to be payable until that day.
    """
    if bill.state == "cancelled":
        return "cancelled_"
    if bill.total <= 0:
        return "credit_" if bill.total < 0 else "zero_"
    if bill.remaining <= 0:
        return "paid_"
    if today > bill.due:
        return "overdue_"
    return "part_" if bill.remaining < bill.total else ""


def notice_routes(
    holder: Subscriber, preference: Preference, *, carries_bill: bool = False
) -> Iterator[tuple[MessageRoute, str]]:
    """Yield the routes and recipients a subscriber chose; SMS until an e-mail address is validated.

    A mail that carries the bill goes out whatever was chosen for the notices.
    """
    address, validated = email_of(preference, holder)
    number = preference.notify_number or (holder.msisdn if holder.kind in SMS_LINE_KINDS else "")
    by_sms, by_email = bool(number), bool(address) and validated
    choice = preference.notify or "sms"
    if by_email and (carries_bill or choice in ("email", "both") or not by_sms):
        yield "email", address
    if by_sms and (choice in ("sms", "both") or not by_email):
        yield "sms", number
