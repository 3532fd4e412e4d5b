"""Profile: change the e-mail address by SMS (M9)."""

from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.domain.records import Preference
from flows.services.email_validation import build_validation
from flows.services.mail_budget import takes_notice_mail
from menus.model.facts import Email, Text


async def begin_email_change(request: ActionRequest) -> Outcome:
    """Go on to the change of the address, once the subscriber has given the secret."""
    request.require_subscriber()
    return Outcome("ok")


async def change_email(request: ActionRequest) -> Outcome:
    """Store a new e-mail address, used only after the link sent to it is opened; `many`: no more such mails."""
    fact = request.facts.get("address")
    address = fact.value if isinstance(fact, Text) else ""
    if not await takes_notice_mail(request, address):
        return Outcome("many")
    links, notices = build_validation(request, address, notices_of=request.line)
    change = request.build_change(
        preference=Preference(notify="email", email=address),
        consents=(request.build_consent("bill-notice", "profile.email", is_given=True),),
        links=links,
        messages=notices,
    )
    await request.ports.ledger.commit(change)
    return Outcome("ok", {"email": Email(address)})


async def send_instructions(request: ActionRequest) -> Outcome:
    """Send an SMS that explains how to text the address, easier than letters on a keypad."""
    change = request.build_change(messages=(request.build_sms("profile.invitation", {}, "reply"),))
    return Outcome(await request.ports.ledger.commit(change))


ACTIONS = {
    "profile.begin": define_action(begin_email_change, "ok"),
    "profile.email": define_action(change_email, "ok many", changes_address=True),
    "profile.invite": define_action(send_instructions, "ok"),
}
