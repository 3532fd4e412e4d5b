"""Bill mailer: puts the issuer's document into a bill mail as it is sent, or a link to it (T9)."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from flows.domain.actions import OperatorPorts
from flows.domain.bill_mail import ATTACHED_SUFFIX, LINK_SLOT, MAX_ATTACHMENT_BYTES, BillEnclosure, BillMail
from flows.domain.failures import InvalidRecord, Refused, TooLarge
from flows.domain.records import BillDocument, ChangeSet, MagicLink, OutboundMessage, Secret
from flows.services.file_links import LINK_LIFETIME, MAX_OPENS, LinkedFile
from gateway.providers.contract import Sender, SentMessage


@dataclass(frozen=True, slots=True)
class BillMailer:
    """Completes the bill mails of all operators."""

    operators: Mapping[str, OperatorPorts] = field(repr=False)
    now: Callable[[], datetime]

    async def complete_mail(self, message: OutboundMessage) -> OutboundMessage:
        """Return a bill mail with its document or a link; any other message as it is.

        Raises Unavailable while billing does not answer: the mail is then sent later.
        """
        if not isinstance(message, BillMail):
            return message
        document = None if message.enclosure.is_link else await self._fetch_document(message)
        if document is None:
            return await self.link_document(message)
        return replace(message, body=f"{message.body}\n\n{message.enclosure.attached_text}", document=document)

    async def link_document(self, mail: BillMail) -> BillMail:
        """Return the mail with a link to the bill's file page, opened with a code sent by SMS.

        Each attempt to send makes a link of its own, as only its hash is stored.
        """
        enclosure, ports = mail.enclosure, self.operators[mail.operator]
        token, now = Secret(ports.random_token()), self.now()
        file = LinkedFile("pdf", enclosure.account, await self._code_number(mail), enclosure.bill_id)
        link = MagicLink(
            *(token, "file", mail.operator, enclosure.subscription, file.encode(), now + LINK_LIFETIME),
            opens_left=MAX_OPENS,
            language=mail.language,
        )
        key = f"{mail.key}/{ports.random_token()}"
        await ports.ledger.commit(ChangeSet(key, mail.operator, enclosure.subscription, now, links=(link,)))
        url = f"{ports.links_url}/file#{token.value}"
        return replace(mail, body=f"{mail.body}\n\n{enclosure.link_text.replace(LINK_SLOT, url)}")

    async def _fetch_document(self, mail: BillMail) -> BillDocument | None:
        """Return the issuer's document if it can be attached; None where there is none, or none that fits."""
        enclosure, billing = mail.enclosure, self.operators[mail.operator].billing
        if "documents" not in billing.capabilities:
            return None
        try:
            document = await billing.get_document(enclosure.account, enclosure.bill_id)
        except Refused:
            return None
        if hashlib.sha256(document.data).hexdigest() != document.sha256:
            raise InvalidRecord("a document does not match its hash")
        fits = document.suffix == ATTACHED_SUFFIX and len(document.data) <= MAX_ATTACHMENT_BYTES
        return document if fits else None

    async def _code_number(self, mail: BillMail) -> str:
        """Return the phone that gets the code: the line's own, or the one a fixed line was registered from."""
        enclosure, ledger = mail.enclosure, self.operators[mail.operator].ledger
        if enclosure.is_mobile:
            return enclosure.msisdn
        registration = await ledger.find_registration(mail.operator, enclosure.subscription)
        return registration.by if registration else enclosure.msisdn


@dataclass(frozen=True, slots=True)
class BillMailSender:
    """Sends e-mail by another sender; a bill its relay finds too large goes out as a link, at once."""

    sender: Sender
    mailer: BillMailer

    async def send(self, notice: OutboundMessage) -> SentMessage:
        """Send one notice, see `Sender.send`."""
        try:
            return await self.sender.send(notice)
        except TooLarge:
            if not (isinstance(notice, BillMail) and notice.document):
                raise
        plain = replace(notice, body=_without_attached_text(notice.body, notice.enclosure), document=None)
        return await self.sender.send(await self.mailer.link_document(plain))

    async def close(self) -> None:
        """Close the other sender."""
        await self.sender.close()


def _without_attached_text(body: str, enclosure: BillEnclosure) -> str:
    return body.removesuffix(f"\n\n{enclosure.attached_text}")
