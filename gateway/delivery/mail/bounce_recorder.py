"""Bounce recording: one report of a mail relay moves the outbox row and marks the address it is about."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from flows.domain.actions import OperatorPorts
from flows.domain.email_registration import EmailState
from flows.domain.records import OutboundMessage, Receipt
from flows.services.email_bounces import MailReport, record_mail_report
from menus.machine.menu import Menu
from storage.outbox.sql_outbox import SqlOutbox

log = logging.getLogger("dialtree.delivery")
EMAIL_STATES: Mapping[str, EmailState] = MappingProxyType(
    {"failed": "bounced", "in_transit": "delayed", "delivered": "ok"}
)
"""State of the address by the state of the receipt."""


@dataclass(frozen=True, slots=True)
class BounceRecorder:
    """Records what relays report: delivery status notifications, and refusals while a mail is handed over."""

    outbox: SqlOutbox = field(repr=False)
    operators: Mapping[str, OperatorPorts] = field(repr=False)
    current_menu: Callable[[str], Menu] = field(repr=False)

    async def record_bounce(self, receipt: Receipt, now: datetime, operator: str = "") -> None:
        """Record a notification; one of another operator than `operator`, where given, changes nothing.

        Notifications about mails we do not know are kept with the receipts and change no address.
        """
        row = await self.outbox.find_sent_row(receipt.provider, receipt.message_id)
        if row is None or row.route != "email" or (operator and row.operator != operator):
            if not operator:
                await self.outbox.record_receipt(receipt, now)
            return
        await self.outbox.record_receipt(receipt, now)
        state = EMAIL_STATES.get(receipt.state)
        if state is not None:
            await self._mark_address(row.operator, MailReport(row.to, state, receipt.message_id, now))

    async def record_refusal(self, notice: OutboundMessage, now: datetime) -> None:
        """Record that the relay refused the recipient as a mail was handed over."""
        await self._mark_address(notice.operator, MailReport(notice.to, "bounced", notice.key, now))

    async def _mark_address(self, operator: str, report: MailReport) -> None:
        ports = self.operators.get(operator)
        if ports is None:
            return  # sent by an operator whose settings are gone
        count = await record_mail_report(self.current_menu(operator), ports.ledger, report)
        if count:
            extra = {"operator": operator, "state": report.email_state, "count": count}
            log.info("delivery.address_state_changed", extra=extra)
