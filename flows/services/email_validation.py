"""E-mail validation: an address is used only after its owner opens the link sent to it (T7, T8)."""

from dataclasses import replace
from datetime import timedelta
from hashlib import blake2b

from flows.domain.actions import Ask
from flows.domain.records import Link, Notice, Preference, Secret, Subscriber
from menus.model.facts import Text

LINK_LIFE = timedelta(hours=72)


def own(kept: Preference, known: Subscriber) -> tuple[str, bool]:
    """Return a subscriber's e-mail address and whether it is validated; empty when there is none.

    The stored preference takes precedence over billing.
    """
    chosen = kept if kept.email else known
    return chosen.email, chosen.email_validated


def validation(ask: Ask, address: str, subscription: str = "") -> tuple[tuple[Link, ...], tuple[Notice, ...]]:
    """Build a magic link that validates an address, and the e-mail that carries it.

    It is for the line's own subscription unless `subscription` names another.
    """
    owner_id = subscription or ask.known().id
    token, expires = Secret(ask.world.token()), ask.now + LINK_LIFE
    link = Link(token, "email", ask.menu.name, owner_id, address, expires)
    url = Text(f"{ask.world.links_url}/confirm#{token.value}")
    mail = ask.email("notify.email", address, {"link": url})
    return (link,), (replace(mail, key=f"{mail.key}/{mark(mail.key, owner_id)}"),)


def mark(key: str, whose: str) -> str:
    """Return a hash that makes one request's keys distinct per line or subscription.

    Keys outlive `erase`, so they contain neither a number nor a subscription id.
    """
    return blake2b(f"{key}\x00{whose}".encode(), digest_size=8).hexdigest()
