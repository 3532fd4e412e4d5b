"""Bill documents: send a link to the PDF, a duplicate, the certified original or the archive."""

from datetime import date
from typing import cast

from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.domain.failures import NotEligible, NotFound
from flows.domain.records import BillDocument
from flows.selfcare.invoice import bill_id_facts, published_bills, selected_bill
from flows.services import file_links
from flows.services.file_links import FileKind, LinkedFile
from menus.model.facts import Text

SIGNED_FORMATS = frozenset({"PAdES", "XAdES", "CAdES", "JAdES"})
"""Formats signed by the issuer; only these are called certified."""


async def send_link_by_sms(request: ActionRequest) -> Outcome:
    """Send an SMS link to the file the screen names (R2, M12, F6, F10, B8).

    That is `pdf`, `duplicate`, `original`, `copy` or `archive`.
    """
    change = file_links.link_by_sms(
        request, _requested_file(request), f"document.{_text_name(request)}_notice", request.facts
    )
    return Outcome(await request.ports.ledger.commit(change))


async def send_link_by_email(request: ActionRequest) -> Outcome:
    """Send the link by e-mail to the validated address on file; `address` when there is none (F10)."""
    to = await file_links.validated_email(request)
    if to is None:
        return Outcome("address")
    change = file_links.link_by_email(
        request, _requested_file(request), "document.mail", to.value, request.facts
    )
    return Outcome(await request.ports.ledger.commit(change), {"email": to})


async def certification_status(request: ActionRequest) -> Outcome:
    """Report whether the newest bill is certified (B8, B9): `ok`, or `copy` if the original is elsewhere.

    `none` for subscribers who are not a business; NotEligible when the bills are not signed.
    """
    subscriber = request.require_subscriber()
    if not subscriber.siret:
        return Outcome("none")
    request.billing_with("documents")
    visible = published_bills(await request.ports.billing.list_bills(subscriber.account, 2), request)
    document = await _find_document(request, visible[0].id) if visible else None
    if document is None or document.format not in SIGNED_FORMATS:
        raise NotEligible
    elsewhere = request.menu.config.rules.originals_elsewhere_from
    name = "copy" if elsewhere and date.fromisoformat(elsewhere) <= visible[0].issued else "ok"
    facts = {"format": Text(document.format), "platform": Text(document.platform)}
    return Outcome(name, {**facts, **bill_id_facts(visible[0])})


async def _find_document(request: ActionRequest, bill: str) -> BillDocument | None:
    try:
        return await request.ports.billing.get_document(request.require_subscriber().account, bill)
    except NotFound:
        return None


def _requested_file(request: ActionRequest) -> LinkedFile:
    kind = "original" if request.argument == "copy" else request.argument
    bill = "" if kind == "archive" else selected_bill(request)
    return LinkedFile(cast(FileKind, kind), request.require_subscriber().account, request.caller, bill)


def _text_name(request: ActionRequest) -> str:
    """Return the part of the texts' names that tells files apart; a duplicate is announced like the bill."""
    return "pdf" if request.argument == "duplicate" else request.argument


ACTIONS = {
    "document.texted": define_action(send_link_by_sms, "ok"),
    "document.mailed": define_action(send_link_by_email, "ok address"),
    "document.status": define_action(certification_status, "ok copy none"),
}
