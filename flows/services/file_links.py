"""Files behind links: a bill's document, the issuer's original, the archive, an export."""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, cast, get_args

from flows.domain.actions import Ask
from flows.domain.records import Change, Link, Notice
from flows.services.email_validation import own
from menus.model.facts import Email, Facts, Text

LIFE, OPENS = timedelta(hours=72), 5
"""How long a link lives and how often it opens; each time asks for a code sent apart."""
Kind = Literal["pdf", "original", "archive", "export"]


@dataclass(frozen=True, slots=True)
class File:
    """What a link leads to. The file itself is made, or fetched, when the link is opened."""

    kind: Kind
    account: str = field(repr=False)
    number: str = field(repr=False)
    """Where the code for opening it is sent."""
    bill: str = ""
    root: str = ""
    """Of an export: the billing centres, by how their names begin."""
    level: str = ""
    """Of an export: `lines` or `totals`."""

    def text(self) -> str:
        """As a link keeps it."""
        return json.dumps([self.kind, self.account, self.number, self.bill, self.root, self.level])


def named(text: str) -> File:
    """The file a link names; ValueError when it names none."""
    try:
        kind, *rest = map(str, json.loads(text))
        file = File(cast(Kind, kind), *rest)
    except (TypeError, RecursionError) as error:
        raise ValueError("this names no file") from error
    if kind not in get_args(Kind):
        raise ValueError("no such kind of file")
    return file


def by_sms(ask: Ask, file: File, text: str, facts: Facts) -> Change:
    """The link to a file, texted to the caller."""
    link = _link(ask, file)
    notice = ask.sms(text, {**facts, "link": _url(ask, link)}, "reply", LIFE)
    return _change(ask, link, notice)


def by_email(ask: Ask, file: File, text: str, to: str, facts: Facts) -> Change:
    """The link to a file, mailed to an address known to be the subscriber's."""
    link = _link(ask, file)
    return _change(ask, link, ask.email(text, to, {**facts, "link": _url(ask, link)}))


async def address(ask: Ask) -> Email | None:
    """The subscriber's own, validated e-mail address."""
    known = ask.known()
    kept = await ask.world.ledger.preference(known.operator, known.id)
    found, validated = own(kept, known)
    return Email(found) if found and validated else None


def _link(ask: Ask, file: File) -> Link:
    return ask.link("file", file.text(), LIFE, OPENS)


def _url(ask: Ask, link: Link) -> Text:
    return Text(f"{ask.world.links_url}/file#{link.token.value}")


def _change(ask: Ask, link: Link, notice: Notice) -> Change:
    return ask.change(links=(link,), notices=(notice,))
