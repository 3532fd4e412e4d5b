"""Mailing: an e-mail address counts once its owner has opened the link sent there (T7, T8)."""

from dataclasses import replace
from datetime import timedelta
from hashlib import blake2b

from flows.domain.actions import Ask
from flows.domain.records import Link, Notice, Preference, Secret, Subscriber
from menus.model.facts import Text

LINK_LIFE = timedelta(hours=72)


def own(kept: Preference, known: Subscriber) -> tuple[str, bool]:
    """A subscriber's e-mail address, the one kept with us or else billing's, and whether it is validated.

    Empty where there is none.
    """
    chosen = kept if kept.email else known
    return chosen.email, chosen.email_validated


def validation(ask: Ask, address: str, subscription: str = "") -> tuple[tuple[Link, ...], tuple[Notice, ...]]:
    """A fresh link for a subscription (the line's own by default), and the e-mail that carries it."""
    whose = subscription or ask.known().id
    token, expires = Secret(ask.world.token()), ask.now + LINK_LIFE
    link = Link(token, "email", ask.menu.name, whose, address, expires)
    url = Text(f"{ask.world.links_url}/confirm#{token.value}")
    mail = ask.email("notify.email", address, {"link": url})
    return (link,), (replace(mail, key=f"{mail.key}/{mark(mail.key, whose)}"),)


def mark(key: str, whose: str) -> str:
    """Tells the lines of one wish apart: keys outlive `erase`, so neither number nor subscription is in one."""
    return blake2b(f"{key}\x00{whose}".encode(), digest_size=8).hexdigest()
