"""Reach: how codes and first passwords come to a line itself, never to the phone that asked for them."""

from dataclasses import replace
from datetime import timedelta

from flows.domain.actions import Ask
from flows.domain.records import Notice, Subscriber
from flows.services.email_validation import own
from menus.model.facts import Facts


def by_email(ask: Ask, kind: str) -> bool:
    """Are lines of this kind reached by e-mail, having no screen of their own (M5)?"""
    return ask.menu.form.rules.reach.get(kind) == "email"


async def notice(ask: Ask, text: str, facts: Facts, life: timedelta) -> Notice | None:
    """The message that carries a code to the line; None when nobody can be reached there.

    By SMS it is the text named `TEXT.notice`, by e-mail `TEXT.mail_notice` under `TEXT.mail_subject`.
    """
    person = ask.subscriber
    if person is None:
        return None
    if not by_email(ask, person.kind):
        return replace(ask.sms(f"{text}.notice", facts, "code", life), to=ask.line)
    address = await address_of(ask, person)
    mail = ask.email(f"{text}.mail", address, facts)
    return replace(mail, kind="code", expires_at=ask.now + life) if address else None


async def address_of(ask: Ask, person: Subscriber) -> str:
    """Where a code goes: the subscriber's validated address, else the contract's, never one only typed here."""
    found, validated = own(await ask.world.ledger.preference(person.operator, person.id), person)
    return found if validated else person.email
