"""Bounces: delivery status notifications (RFC 3464) read from a Maildir, as receipts for the outbox."""

import asyncio
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
    action, status = str(fields["Action"]).strip().lower(), str(fields["Status"]).split()[0]
    state = ACTIONS.get(action)
    if state is None:
        return None
    return Receipt(SMTP_PROVIDER, message_id, state, f"{action} {status}"[:64], f"bounced {status}"[:64])


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
