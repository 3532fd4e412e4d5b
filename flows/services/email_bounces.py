"""E-mail bounces: what became of the mails to an address, kept with who chose it and told by SMS."""

from dataclasses import dataclass, field
from datetime import datetime

from flows.domain.email_registration import EmailState, EmailUse
from flows.domain.ports import Ledger
from flows.domain.records import AuditEntry, ChangeSet, OutboundMessage, Preference
from flows.services.email_validation import key_suffix
from menus.machine.menu import Menu
from menus.model.facts import PhoneNumber
from menus.text.gsm import prepare_text, to_wire_text

NOTICE_TEXT = "registration.undeliverable"


@dataclass(frozen=True, slots=True)
class MailReport:
    """What a mail relay reported about one mail of ours."""

    address: str = field(repr=False)
    email_state: EmailState
    cause: str
    """Message-ID or key of the mail: a report that comes twice changes nothing."""
    reported_at: datetime


async def record_mail_report(menu: Menu, ledger: Ledger, report: MailReport) -> int:
    """Keep the state with every subscription that chose the address; return how many it was news for.

    The phone a line was registered from is told when its mails begin to bounce. Until the address is chosen
    or validated anew, notices go by SMS.
    """
    uses = await ledger.list_email_uses(menu.name, report.address)
    changed = [use for use in uses if use.email_state != report.email_state and _is_news(use, report)]
    for use in changed:
        await ledger.commit(_build_change(menu, use, report))
    return len(changed)


def _is_news(use: EmailUse, report: MailReport) -> bool:
    """Return whether a state replaces the stored one: a delay says nothing of a mailbox that refuses."""
    if report.email_state == "ok":
        return use.email_state != ""
    return not (use.email_state == "bounced" and report.email_state == "delayed")


def _build_change(menu: Menu, use: EmailUse, report: MailReport) -> ChangeSet:
    key = f"mail/{report.email_state}/{key_suffix(report.cause, use.subscription)}"
    entry = AuditEntry(menu.name, use.subscription, f"email.{report.email_state}", report.reported_at, "email")
    return ChangeSet(
        key,
        menu.name,
        use.subscription,
        report.reported_at,
        preference=Preference(email_state=report.email_state),
        messages=_build_notices(menu, use, report, key),
        audit_entries=(entry,),
    )


def _build_notices(menu: Menu, use: EmailUse, report: MailReport, key: str) -> tuple[OutboundMessage, ...]:
    """Return the SMS to the phone a line was registered from; none for a delay, or without a registration."""
    if report.email_state != "bounced" or not use.registered_by:
        return ()
    language = menu.supported_language(use.language)
    text = menu.fill_text(NOTICE_TEXT, language, "sms", {"line": PhoneNumber(use.line)})
    notice = OutboundMessage(
        key=key,
        operator=menu.name,
        to=use.registered_by,
        route="sms",
        kind="notice",
        body=to_wire_text(prepare_text(text)),
        language=menu.language_pack(language, "sms").language,
        is_unprompted=True,
    )
    return (notice,)
