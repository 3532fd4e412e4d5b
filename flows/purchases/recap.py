"""Monthly recap of purchases by e-mail, once the month is over (B20)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from flows.domain.actions import OperatorPorts
from flows.domain.failures import MonthOpen
from flows.domain.pseudonyms import Pseudonyms
from flows.domain.purchase_records import Charge
from flows.domain.records import ChangeSet, DeferredStep, OutboundMessage, Preference, Subscriber
from flows.purchases.spending import find_charge_owner, purchase_ports
from flows.services.eligibility import first_of_next_month
from flows.services.email_validation import email_of
from menus.machine.menu import Menu
from menus.model.facts import Facts, Money, Month, Text
from menus.text.gsm import to_wire_text

RECAP = "purchase.recap"
SENDING_HOUR = time(9)
"""When recaps leave on the first day of the month, in the operator's time zone."""
RECAP_LIFETIME = timedelta(days=14)


def build_recap_task(menu: Menu, pseudonyms: Pseudonyms, charge: Charge) -> DeferredStep:
    """Build the task that sends the recap of a charge's month: one per line and month."""
    key = f"{pseudonyms.keyed_hash(charge.operator, charge.subscription)}/recap/{charge.period}"
    expires_at = recap_time(menu, charge) + RECAP_LIFETIME
    return DeferredStep(key, charge.operator, RECAP, charge.id.encode(), expires_at)


def recap_time(menu: Menu, charge: Charge) -> datetime:
    """Return when the recap of a charge's month leaves."""
    zone = ZoneInfo(menu.config.time_zone)
    day = first_of_next_month(datetime.strptime(charge.period, "%Y-%m").date())
    return datetime.combine(day, SENDING_HOUR, zone)


@dataclass(frozen=True, slots=True)
class PurchaseRecap:
    """Sends the recap of a month to lines with a validated address; each purchase was confirmed by SMS."""

    menu: Menu = field(repr=False)
    ports: OperatorPorts = field(repr=False)

    async def run_task(self, task: DeferredStep) -> None:
        """Send one recap; MonthOpen until the month is over, Unavailable while billing is down."""
        charges = purchase_ports(self.ports).charges
        charge = await charges.find_charge(task.operator, task.session.decode())
        if charge is None or not charge.line:
            return
        wait = recap_time(self.menu, charge) - self.ports.now()
        if wait > timedelta(0):
            raise MonthOpen(after_seconds=wait.total_seconds())
        owner = await find_charge_owner(self.ports, charge)
        bought = await charges.list_month(charge.operator, charge.subscription, charge.period)
        made = [each for each in reversed(bought) if each.state == "succeeded"]
        if owner is None or not made:
            return
        preference = await self.ports.ledger.get_preference(owner.operator, owner.id)
        address, is_usable = email_of(preference, owner)
        if address and is_usable:
            await self._send(task, owner, self._build_mail(task, address, _language(owner, preference), made))

    async def _send(self, task: DeferredStep, owner: Subscriber, mail: OutboundMessage) -> None:
        change = ChangeSet(task.key, task.operator, owner.id, self.ports.now(), messages=(mail,))
        await self.ports.ledger.commit(change)

    def _build_mail(
        self, task: DeferredStep, address: str, wanted: str, made: Sequence[Charge]
    ) -> OutboundMessage:
        language = self.menu.language_pack(self.menu.supported_language(wanted), "email").language
        total = sum((each.amount - each.refunded for each in made), Decimal(0))
        facts: Facts = {"month": _month_of(made[0]), "spent": Money(total)}
        rows = (self._fill("row_mail_notice", language, self._row_facts(each)) for each in made)
        head = self._fill("recap_mail_notice", language, facts)
        return OutboundMessage(
            key=f"{task.key}/mail",
            operator=task.operator,
            to=address,
            route="email",
            kind="notice",
            body=to_wire_text("\n".join([head.rstrip(), "", *rows])),
            language=language,
            subject=to_wire_text(self._fill("recap_subject", language, facts)),
        )

    def _row_facts(self, charge: Charge) -> Facts:
        local = charge.created_at.astimezone(ZoneInfo(self.menu.config.time_zone))
        return {
            "when": Text(f"{local:%d/%m}"),
            "bought_what": Text(charge.label),
            "charge": Money(charge.amount - charge.refunded),
        }

    def _fill(self, name: str, language: str, facts: Facts) -> str:
        return self.menu.fill_text(f"purchases.{name}", language, "email", facts)


def _language(owner: Subscriber, preference: Preference) -> str:
    return preference.language or owner.language


def _month_of(charge: Charge) -> Month:
    year, month = map(int, charge.period.split("-"))
    return Month(year, month)
