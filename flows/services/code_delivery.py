"""Deliver codes and first passwords to the line they are for, by SMS or e-mail."""

from dataclasses import replace
from datetime import timedelta

from flows.domain.actions import ActionRequest
from flows.domain.records import OutboundMessage, Subscriber
from flows.services.email_validation import email_of
from menus.model.facts import Facts


def is_reached_by_email(request: ActionRequest, kind: str) -> bool:
    """Return whether lines of this kind get codes by e-mail, because they cannot receive SMS (M5)."""
    return request.menu.config.rules.reach.get(kind) == "email"


async def build_code_message(
    request: ActionRequest, text: str, facts: Facts, life: timedelta
) -> OutboundMessage | None:
    """Build the message that carries a code to the line; None for an unknown line or one without address.

    It is never sent to the phone that requested it. SMS uses the text `TEXT.notice`, e-mail `TEXT.mail_notice`
    with the subject `TEXT.mail_subject`. It expires after `lifetime`.
    """
    subscriber = request.subscriber
    if subscriber is None:
        return None
    if not is_reached_by_email(request, subscriber.kind):
        return replace(request.build_sms(f"{text}.notice", facts, "code", life), to=request.line)
    return _build_mail(request, text, await email_for_codes(request, subscriber), facts, life)


async def build_code_mail(
    request: ActionRequest, text: str, facts: Facts, life: timedelta
) -> OutboundMessage | None:
    """Build the e-mail that carries a code to the line's confirmed address; None without one.

    Lines that get their codes by e-mail anyway get it where those go.
    """
    subscriber = request.subscriber
    if subscriber is None:
        return None
    if is_reached_by_email(request, subscriber.kind):
        return await build_code_message(request, text, facts, life)
    preference = await request.ports.ledger.get_preference(subscriber.operator, subscriber.id)
    address, is_confirmed = email_of(preference, subscriber)
    return _build_mail(request, text, address if is_confirmed else "", facts, life)


def _build_mail(
    request: ActionRequest, text: str, address: str, facts: Facts, life: timedelta
) -> OutboundMessage | None:
    mail = request.build_email(f"{text}.mail", address, facts)
    return replace(mail, kind="code", expires_at=request.now + life) if address else None


async def email_for_codes(request: ActionRequest, subscriber: Subscriber) -> str:
    """Return the e-mail address for codes: the validated one, else the contract's; empty when none.

    An address that was entered here and not validated is never used.
    """
    address, validated = email_of(
        await request.ports.ledger.get_preference(subscriber.operator, subscriber.id), subscriber
    )
    return address if validated else subscriber.email
