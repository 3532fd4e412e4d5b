"""Deliver codes and first passwords to the line they are for, by SMS or e-mail."""

from dataclasses import replace
from datetime import timedelta

from flows.domain.actions import Ask
from flows.domain.records import Notice, Subscriber
from flows.services.email_validation import own
from menus.model.facts import Facts


def by_email(ask: Ask, kind: str) -> bool:
    """Return whether lines of this kind get codes by e-mail, because they cannot receive SMS (M5)."""
    return ask.menu.form.rules.reach.get(kind) == "email"


async def notice(ask: Ask, text: str, facts: Facts, life: timedelta) -> Notice | None:
    """Build the message that carries a code to the line; None for an unknown line or one without address.

    It never goes to the phone that asked. SMS uses the text `TEXT.notice`, e-mail `TEXT.mail_notice`
    with the subject `TEXT.mail_subject`. It expires after `lifetime`.
    """
    subscriber = ask.subscriber
    if subscriber is None:
        return None
    if not by_email(ask, subscriber.kind):
        return replace(ask.sms(f"{text}.notice", facts, "code", life), to=ask.line)
    address = await address_of(ask, subscriber)
    mail = ask.email(f"{text}.mail", address, facts)
    return replace(mail, kind="code", expires_at=ask.now + life) if address else None


async def address_of(ask: Ask, person: Subscriber) -> str:
    """Return the e-mail address for codes: the validated one, else the contract's; empty when none.

    An address that was entered here and not validated is never used.
    """
    address, validated = own(await ask.world.ledger.preference(person.operator, person.id), person)
    return address if validated else person.email
