"""E-mail validation: an address is used only after its owner opens the link sent to it (T7, T8)."""

from dataclasses import replace
from datetime import timedelta
from hashlib import blake2b

from flows.domain.actions import ActionRequest
from flows.domain.records import MagicLink, OutboundMessage, Preference, Secret, Subscriber
from menus.model.facts import Text

LINK_LIFETIME = timedelta(hours=72)


def email_of(preference: Preference, subscriber: Subscriber) -> tuple[str, bool]:
    """Return a subscriber's e-mail address and whether it may be used; empty when there is none.

    It may when it is validated and mails to it do not bounce. The stored preference takes precedence over
    billing.
    """
    if preference.email:
        return preference.email, preference.is_email_usable
    return subscriber.email, subscriber.email_validated


def link_value(address: str, number: str) -> str:
    """Return the value of a link that validates an address for a line's notices; see `parse_link_value`."""
    return f"{address} {number}"


def parse_link_value(value: str) -> tuple[str, str]:
    """Return the address a link validates, and the line (E.164) whose notices it is for; empty for bills."""
    address, _, number = value.partition(" ")
    return address, number


def build_validation(
    request: ActionRequest, address: str, subscription: str = "", notices_of: str = ""
) -> tuple[tuple[MagicLink, ...], tuple[OutboundMessage, ...]]:
    """Build a magic link that validates an address, and the e-mail that carries it.

    It is for the line's own subscription unless `subscription` names another. `notices_of` is the line (E.164)
    whose notices go there, where nobody registers for e-mail bills.
    """
    owner_id = subscription or request.require_subscriber().id
    token, expires = Secret(request.ports.random_token()), request.now + LINK_LIFETIME
    value = link_value(address, notices_of) if notices_of else address
    link = MagicLink(token, "email", request.menu.name, owner_id, value, expires, language=request.language)
    url = Text(f"{request.ports.links_url}/confirm#{token.value}")
    mail = request.build_email("notify.email", address, {"link": url})
    return (link,), (replace(mail, key=f"{mail.key}/{key_suffix(mail.key, owner_id)}"),)


def key_suffix(key: str, owner: str) -> str:
    """Return a hash that makes one request's keys distinct per line or subscription.

    Keys outlive `erase`, so they contain neither a number nor a subscription id.
    """
    return blake2b(f"{key}\x00{owner}".encode(), digest_size=8).hexdigest()
