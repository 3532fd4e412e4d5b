"""File links: magic links to a bill's PDF, the issuer's original, the archive or a CSV export."""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, cast, get_args

from flows.domain.actions import Ask
from flows.domain.records import Change, Link, Notice
from flows.services.email_validation import own
from menus.model.facts import Email, Facts, Text

LIFE, OPENS = timedelta(hours=72), 5
"""Lifetime of a link and how often it can be opened; each opening needs a code sent separately."""
Kind = Literal["pdf", "original", "archive", "export"]


@dataclass(frozen=True, slots=True)
class File:
    """The file a link leads to; it is built or fetched when the link is opened."""

    kind: Kind
    account: str = field(repr=False)
    number: str = field(repr=False)
    """Phone number (E.164) that gets the code for opening it."""
    bill: str = ""
    root: str = ""
    """Exports only: the common prefix of the billing centres; empty for all."""
    level: str = ""
    """Exports only: `lines` or `totals`."""

    def text(self) -> str:
        """Serialise to the JSON stored in the link."""
        return json.dumps([self.kind, self.account, self.number, self.bill, self.root, self.level])


def named(text: str) -> File:
    """Parse the JSON stored in a link; ValueError when it names no file."""
    try:
        kind, *rest = map(str, json.loads(text))
        file = File(cast(Kind, kind), *rest)
    except (TypeError, RecursionError) as error:
        raise ValueError("the stored link value is not a file description") from error
    if kind not in get_args(Kind):
        raise ValueError(f"unknown kind of file; known are {', '.join(get_args(Kind))}")
    return file


def by_sms(ask: Ask, file: File, text: str, facts: Facts) -> Change:
    """Build the change set that sends a file link to the caller by SMS."""
    link = _link(ask, file)
    notice = ask.sms(text, {**facts, "link": _url(ask, link)}, "reply", LIFE)
    return _change(ask, link, notice)


def by_email(ask: Ask, file: File, text: str, to: str, facts: Facts) -> Change:
    """Build the change set that sends a file link by e-mail; `to` must be a validated address."""
    link = _link(ask, file)
    return _change(ask, link, ask.email(text, to, {**facts, "link": _url(ask, link)}))


async def address(ask: Ask) -> Email | None:
    """Return the subscriber's validated e-mail address; None when there is none."""
    subscriber = ask.known()
    preference = await ask.world.ledger.preference(subscriber.operator, subscriber.id)
    own_address, validated = own(preference, subscriber)
    return Email(own_address) if own_address and validated else None


def _link(ask: Ask, file: File) -> Link:
    return ask.link("file", file.text(), LIFE, OPENS)


def _url(ask: Ask, link: Link) -> Text:
    return Text(f"{ask.world.links_url}/file#{link.token.value}")


def _change(ask: Ask, link: Link, notice: Notice) -> Change:
    return ask.change(links=(link,), notices=(notice,))
