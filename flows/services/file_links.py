"""File links: magic links to a bill's PDF, the original, the archive, or a CSV export."""

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, cast, get_args

from flows.domain.actions import ActionRequest
from flows.domain.records import ChangeSet, MagicLink, OutboundMessage
from flows.services.email_validation import email_of
from menus.model.facts import Email, Facts, Text

LINK_LIFETIME, MAX_OPENS = timedelta(hours=72), 5
"""Lifetime of a link and how often it can be opened; each opening needs a code sent separately."""
FileKind = Literal["pdf", "duplicate", "original", "archive", "export", "usage"]
"""`pdf`: the issuer's document, or our summary where there is none; `duplicate`: the same, named as such."""
EXPORT_KINDS = frozenset[FileKind]({"export", "usage"})
"""CSV files of bills and of usage records; their months are chosen where they are opened."""


@dataclass(frozen=True, slots=True)
class LinkedFile:
    """The file a link leads to; it is built or fetched when the link is opened."""

    kind: FileKind
    account: str = field(repr=False)
    number: str = field(repr=False)
    """Phone number (E.164) that gets the code for opening it."""
    bill_id: str = ""
    root: str = ""
    """Exports only: the common prefix of the billing centres; empty for all."""
    detail_level: str = ""
    """Exports only: `lines` or `totals`."""

    def encode(self) -> str:
        """Serialise to the JSON stored in the link."""
        return json.dumps([self.kind, self.account, self.number, self.bill_id, self.root, self.detail_level])


def parse_file_link(text: str) -> LinkedFile:
    """Parse the JSON stored in a link; ValueError when it names no file."""
    try:
        kind, *rest = map(str, json.loads(text))
        file = LinkedFile(cast(FileKind, kind), *rest)
    except (TypeError, RecursionError) as error:
        raise ValueError("the stored link value is not a file description") from error
    if kind not in get_args(FileKind):
        raise ValueError(f"unknown kind of file; known are {', '.join(get_args(FileKind))}")
    return file


def link_by_sms(request: ActionRequest, file: LinkedFile, text: str, facts: Facts) -> ChangeSet:
    """Build the change set that sends a file link to the caller by SMS."""
    link = _build_link(request, file)
    notice = request.build_sms(text, {**facts, "link": _link_url(request, link)}, "reply", LINK_LIFETIME)
    return _link_change(request, link, notice)


def link_by_email(request: ActionRequest, file: LinkedFile, text: str, to: str, facts: Facts) -> ChangeSet:
    """Build the change set that sends a file link by e-mail; `to` must be a validated address."""
    link = _build_link(request, file)
    return _link_change(
        request, link, request.build_email(text, to, {**facts, "link": _link_url(request, link)})
    )


async def validated_email(request: ActionRequest) -> Email | None:
    """Return the subscriber's validated e-mail address; None when there is none."""
    subscriber = request.require_subscriber()
    preference = await request.ports.ledger.get_preference(subscriber.operator, subscriber.id)
    own_address, validated = email_of(preference, subscriber)
    return Email(own_address) if own_address and validated else None


def safe_filename(name: str) -> str:
    """Return the name with all but ASCII letters and digits as dashes, so that it is no path and no command."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)[:64]


def _build_link(request: ActionRequest, file: LinkedFile) -> MagicLink:
    return request.build_link("file", file.encode(), LINK_LIFETIME, MAX_OPENS)


def _link_url(request: ActionRequest, link: MagicLink) -> Text:
    return Text(f"{request.ports.links_url}/file#{link.token.value}")


def _link_change(request: ActionRequest, link: MagicLink, notice: OutboundMessage) -> ChangeSet:
    return request.build_change(links=(link,), messages=(notice,))
