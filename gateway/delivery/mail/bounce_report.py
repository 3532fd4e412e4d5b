"""Bounces: delivery status notifications (RFC 3464) read from a Maildir, as receipts for the outbox."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from email.errors import MessageError
from email.message import Message
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from flows.domain.records import Receipt

SMTP_PROVIDER = "smtp"
MAX_BOUNCE_BYTES = 1024 * 1024
MAX_BOUNCES_PER_ROUND = 100
_STATUS_CODE = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?![0-9])")
"""Enhanced status code (RFC 3463), which begins the Status of a report; a comment may follow."""
_MESSAGE_ID = re.compile(r"<[\x21-\x3b\x3d\x3f-\x7e]{3,158}>")
ACTIONS: Mapping[str, Literal["in_transit", "delivered", "failed"]] = MappingProxyType(
    {"failed": "failed", "delivered": "delivered", "delayed": "in_transit", "relayed": "in_transit"}
)
"""State by the Action of a report (RFC 3464, 2.3.3); `expanded` tells nothing about a mailbox."""


def parse_bounce(content: bytes) -> Receipt | None:
    """Return the receipt of a delivery status notification; None for any other mail.

    Only status and action are kept: the diagnostic text names the address.
    """
    try:
        parts = list(message_from_bytes(content).walk())
    except (MessageError, ValueError, RecursionError):
        return None
    fields = next((part for part in parts if part.get("Action") and part.get("Status")), None)
    message_id = _original_message_id(parts)
    if fields is None or not message_id:
        return None
    return build_receipt(message_id, str(fields["Action"]), str(fields["Status"]))


def build_receipt(message_id: str, action: str, status: str) -> Receipt | None:
    """Return the receipt of a report's fields; None for an action or a status that RFC 3464 does not know."""
    code, state = _STATUS_CODE.match(status.strip()), ACTIONS.get(action.strip().lower())
    message_id = message_id.strip()
    if code is None or state is None or not _MESSAGE_ID.fullmatch(message_id):
        return None
    word = "delayed" if state == "in_transit" else "bounced"
    return Receipt(SMTP_PROVIDER, message_id, state, f"{action.strip().lower()} {code[0]}", f"{word} {code[0]}")


def _original_message_id(parts: list[Message]) -> str:
    """Return the Message-ID of the mail a report is about, from the headers it returns."""
    for part in parts[1:]:
        if part.get_content_type() == "text/rfc822-headers":
            payload = part.get_payload(decode=True)
            headers = message_from_bytes(payload if isinstance(payload, bytes) else b"")
            return str(headers.get("Message-ID", "")).strip()
        if part.get_content_type() != "message/delivery-status" and part.get("Message-ID"):
            return str(part["Message-ID"]).strip()
    return ""


@dataclass(frozen=True, slots=True)
class BounceMailbox:
    """Maildir that the address of `email_from` is delivered to; what was read moves from `new` to `cur`."""

    folder: Path = field(repr=False)
    record_receipt: Callable[[Receipt, datetime], Awaitable[None]] = field(repr=False)

    async def read_bounces(self, now: datetime) -> int:
        """Record the bounces among the new mails; return how many there were."""
        count = 0
        for path in await asyncio.to_thread(self._list_new):
            with suppress(FileNotFoundError):  # another worker read it
                count += await self._read_mail(path, now)
        return count

    async def _read_mail(self, path: Path, now: datetime) -> bool:
        """Record one mail, if it is a bounce, and mark it as read; recording it twice changes nothing."""
        receipt = parse_bounce(await asyncio.to_thread(_read_file, path))
        if receipt is not None:
            await self.record_receipt(receipt, now)
        await asyncio.to_thread(path.rename, self.folder / "cur" / f"{path.name}:2,S")
        return receipt is not None

    def _list_new(self) -> list[Path]:
        """Return the oldest new mails by name; Maildir names begin with the time."""
        new = self.folder / "new"
        return sorted(new.iterdir())[:MAX_BOUNCES_PER_ROUND] if new.is_dir() else []


def _read_file(path: Path) -> bytes:
    with path.open("rb") as opened:
        return opened.read(MAX_BOUNCE_BYTES)
