"""Bill documents: send a link to the PDF, a duplicate, the certified original or the archive."""

from datetime import date
from typing import cast

from flows.domain.actions import Ask, Outcome, action
from flows.domain.failures import NotEligible, NotFound
from flows.domain.records import Document
from flows.selfcare.invoice import named, picked, published
from flows.services import file_links
from flows.services.file_links import File, Kind
from menus.model.facts import Text

SIGNED = frozenset({"PAdES", "XAdES", "CAdES", "JAdES"})
"""Formats signed by the issuer; only these are called certified."""


async def texted(ask: Ask) -> Outcome:
    """Send an SMS link to the file the screen names: `pdf`, `original`, `copy`, `archive` (R2, M12, F6, B8)."""
    change = file_links.by_sms(ask, _file(ask), f"document.{ask.given}_notice", ask.facts)
    return Outcome(await ask.world.ledger.commit(change))


async def mailed(ask: Ask) -> Outcome:
    """Send the link by e-mail to the validated address on file; `address` when there is none (F10)."""
    to = await file_links.address(ask)
    if to is None:
        return Outcome("address")
    change = file_links.by_email(ask, _file(ask), f"document.{ask.given}", to.value, ask.facts)
    return Outcome(await ask.world.ledger.commit(change), {"email": to})


async def status(ask: Ask) -> Outcome:
    """Report whether the newest bill is certified (B8, B9): `ok`, or `copy` if the original is elsewhere.

    `none` for subscribers who are not a business; NotEligible when the bills are not signed.
    """
    subscriber = ask.known()
    if not subscriber.siret:
        return Outcome("none")
    ask.able("documents")
    visible = published(await ask.world.billing.bills(subscriber.account, 2), ask)
    document = await _document(ask, visible[0].id) if visible else None
    if document is None or document.format not in SIGNED:
        raise NotEligible
    elsewhere = ask.menu.form.rules.originals_elsewhere_from
    name = "copy" if elsewhere and date.fromisoformat(elsewhere) <= visible[0].issued else "ok"
    facts = {"format": Text(document.format), "platform": Text(document.platform)}
    return Outcome(name, {**facts, **named(visible[0])})


async def _document(ask: Ask, bill: str) -> Document | None:
    try:
        return await ask.world.billing.document(ask.known().account, bill)
    except NotFound:
        return None


def _file(ask: Ask) -> File:
    kind = "original" if ask.given == "copy" else ask.given
    bill = "" if kind == "archive" else picked(ask)
    return File(cast(Kind, kind), ask.known().account, ask.caller, bill)


ACTIONS = {
    "document.texted": action(texted, "ok"),
    "document.mailed": action(mailed, "ok address"),
    "document.status": action(status, "ok copy none"),
}
