"""Address notices: tell a line that the e-mail or postal address of its bills was changed."""

from dataclasses import replace

from flows.domain.actions import ActionRequest
from flows.domain.records import OutboundMessage, Preference
from flows.services.code_delivery import is_reached_by_email
from menus.model.facts import Email, Facts, PhoneNumber

EMAIL_NOTICE, POSTAL_NOTICE = "email.changed", "paper.changed"
"""The texts, which a channel's ending follows: `_notice` by SMS and e-mail, `_subject` of the e-mail."""


def build_email_notice(
    request: ActionRequest, preference: Preference, address: str
) -> tuple[OutboundMessage, ...]:
    """Build the notice that an e-mail address was confirmed; the address is masked in it."""
    return _build_notice(request, preference, EMAIL_NOTICE, {"email": Email(address)})


def build_postal_notice(request: ActionRequest, preference: Preference) -> tuple[OutboundMessage, ...]:
    """Build the notice that bills go by post to another address, which is not repeated in it."""
    return _build_notice(request, preference, POSTAL_NOTICE, {})


def _build_notice(
    request: ActionRequest, preference: Preference, text: str, facts: Facts
) -> tuple[OutboundMessage, ...]:
    """Build the notice to the line itself, in its own language, whoever asked for the change.

    A line that receives no SMS gets it by e-mail, at the address of its contract, which no flow changes. None
    where it has no such address.
    """
    subscriber = request.require_subscriber()
    language = request.menu.supported_language(preference.language or subscriber.language)
    own = replace(request, caller=subscriber.msisdn, subject="", language=language)
    facts = {"line": PhoneNumber(subscriber.msisdn), **facts}
    if not is_reached_by_email(request, subscriber.kind):
        return (replace(own.build_sms(f"{text}_notice", facts), kind="reply"),)
    return (own.build_email(text, subscriber.email, facts),) if subscriber.email else ()
