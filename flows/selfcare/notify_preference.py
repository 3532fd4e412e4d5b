"""Notification preference: announce new bills by SMS, e-mail or both (R3, R4)."""

from dataclasses import replace
from datetime import timedelta
from typing import Literal, cast

from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.domain.records import Preference
from flows.services.email_validation import build_validation, email_of
from flows.services.mail_budget import takes_notice_mail
from menus.model.facts import Email, Facts, Text, TextRef

NoticeChoice = Literal["sms", "email", "both"]
NOTICE_LINK = "notice "
"""Begins the value of a link to the page that takes an address for notices; the line's number follows."""
LINK_LIFETIME = timedelta(hours=72)


async def choose_notification(request: ActionRequest) -> Outcome:
    """Store the choice; `address` when e-mail has no address, `pending` until the address is validated.

    `many` when no confirmation mail may be sent: nothing is changed.
    """
    subscriber = request.require_subscriber()
    stored = await request.ports.ledger.get_preference(subscriber.operator, subscriber.id)
    email, validated = email_of(stored, subscriber)
    if request.argument != "sms" and not email:
        return Outcome("address")
    outcome = "ok" if request.argument == "sms" or validated else "pending"
    if outcome == "pending" and not await takes_notice_mail(request, email):
        return Outcome("many")
    facts: Facts = {"way": TextRef(f"way.{request.argument}"), "email": Email(email)}
    links, notices = (
        build_validation(request, email, notices_of=request.line) if outcome == "pending" else ((), ())
    )
    change = request.build_change(
        outcome=outcome,
        preference=Preference(
            notify=cast(NoticeChoice, request.argument), notify_number=stored.notify_number and request.line
        ),
        consents=(request.build_consent("bill-notice", "notify.choose", is_given=True),),
        links=links,
        messages=notices,
    )
    return Outcome(await request.ports.ledger.commit(change), facts)


async def send_address_link(request: ActionRequest) -> Outcome:
    """Send an SMS link to a page that takes the e-mail address for notices, hard to say in a call (R4).

    It goes to the line itself: whoever opens it has the line, and needs no other code for a new address.
    """
    link = request.build_link("mailbox", f"{NOTICE_LINK}{request.line}", LINK_LIFETIME)
    url = Text(f"{request.ports.links_url}/mailbox#{link.token.value}")
    notice = request.build_sms("notify.link_notice", {"link": url}, "reply", LINK_LIFETIME)
    notice = replace(notice, to=request.line)
    change = request.build_change(links=(link,), messages=(notice,))
    return Outcome(await request.ports.ledger.commit(change))


async def change_notice_email(request: ActionRequest) -> Outcome:
    """Store a new e-mail address, used only after the link sent to it is opened; `many`: no more such mails."""
    if not await takes_notice_mail(request, request.input_text):
        return Outcome("many")
    links, notices = build_validation(request, request.input_text, notices_of=request.line)
    change = request.build_change(
        preference=Preference(notify="email", email=request.input_text),
        consents=(request.build_consent("bill-notice", "notify.email", is_given=True),),
        links=links,
        messages=notices,
    )
    await request.ports.ledger.commit(change)
    return Outcome("ok", {"email": Email(request.input_text)})


ACTIONS = {
    "notify.by_sms": define_action(choose_notification, "ok"),
    "notify.choose": define_action(choose_notification, "ok address pending many"),
    "notify.link": define_action(send_address_link, "ok"),
    "notify.address": define_action(change_notice_email, "ok many", changes_address=True),
}
