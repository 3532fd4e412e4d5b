"""SMTP sender: one e-mail per connection, under a total deadline, with errors mapped to failures."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import parseaddr
from urllib.parse import unquote, urlsplit

import aiosmtplib

from flows.domain.failures import Misconfigured, OutcomeUnknown, Rejected, TryLater, Undelivered
from flows.domain.records import Notice
from gateway.providers.contract import Sent

NAME = "smtp"
PORTS = {"smtp": 587, "smtps": 465}
EXPECTED = "must be smtp://host:port or smtps://user:password@host"
ABOUT_US = frozenset({530, 534, 535, 538})
"""SMTP replies about our login: no message will pass before a person has looked."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """SMTP server, login and From header."""

    host: str
    port: int
    user: str = field(repr=False)
    password: str = field(repr=False)
    tls: bool
    """TLS from the first byte (`smtps`); otherwise STARTTLS when the server offers it."""
    sender: str
    """The From header, e.g. `Orange <no-reply@gw.example.net>`."""


def mailbox(url: str, sender: str) -> Mailbox:
    """Parse `smtp[s]://[user:password@]host[:port]`; ValueError for anything else, without showing it."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise ValueError(EXPECTED) from None  # its message would show the URL
    if not parts.hostname:
        raise ValueError(EXPECTED)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Mailbox(parts.hostname, port, user, password, parts.scheme == "smtps", sender)


@dataclass(slots=True)
class _Attempt:
    """How far one attempt got."""

    given: bool = False
    """Whether the body has begun to leave; from then on only the server's reply tells the outcome."""


class Mail:
    """Sends notices as e-mail; the caller has made sure that the address is validated."""

    def __init__(self, mailbox: Mailbox, deadline_seconds: float = 9.0) -> None:
        self._box = mailbox
        self._seconds = deadline_seconds

    async def send(self, notice: Notice) -> Sent:
        """Send one notice, see `Sender.send`.

        The Message-ID is a hash of the notice's key, so a repeat is the same message.
        """
        message = written(notice, self._box.sender)
        attempt = _Attempt()
        try:
            async with asyncio.timeout(self._seconds):
                await self._through(message, notice.to, attempt)
        except (aiosmtplib.SMTPException, TimeoutError, OSError) as error:
            raise _failure(error, attempt) from None  # its message may hold the address
        return Sent(NAME, str(message["Message-ID"]))

    async def close(self) -> None:
        """Do nothing: no connection is kept between messages."""

    async def _through(self, message: EmailMessage, to: str, attempt: _Attempt) -> None:
        """Connect, log in and transmit the message, noting when its data begins to leave."""
        account = self._box
        client = aiosmtplib.SMTP(
            hostname=account.host,
            port=account.port,
            use_tls=account.tls,
            username=account.user or None,
            password=account.password or None,
            timeout=None,
        )
        try:
            await client.connect()
            await client.mail(parseaddr(account.sender)[1])
            await client.rcpt(to)
            attempt.given = True
            await client.data(message.as_bytes(policy=WIRE))
        finally:
            client.close()


def written(notice: Notice, sender: str) -> EmailMessage:
    """Build the e-mail of a notice; its subject is kept to one line."""
    message = EmailMessage()
    message["From"], message["To"] = sender, notice.to
    message["Subject"] = " ".join(notice.subject.split()) or notice.operator
    message["Content-Language"] = notice.language
    digest = hashlib.sha256(notice.key.encode()).hexdigest()[:32]
    message["Message-ID"] = f"<{digest}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(notice.body)
    return message


def _failure(error: Exception, attempt: _Attempt) -> Undelivered:
    """Map an error to a failure: by the server's code if it gave one, otherwise by how far the attempt got."""
    code = getattr(error, "code", None)
    if isinstance(error, aiosmtplib.SMTPResponseException) and isinstance(code, int) and code >= 400:
        return _refusal(code)
    if isinstance(error, aiosmtplib.SMTPNotSupported):
        return Misconfigured("the mail server does not offer what is needed")
    if attempt.given:
        return OutcomeUnknown("the connection broke off after DATA")
    return TryLater("no connection to the mail server")


def _refusal(code: int) -> Undelivered:
    """Map an SMTP code to a failure: 4xx is retried, 5xx is not."""
    if code in ABOUT_US:
        return Misconfigured(f"SMTP {code}")
    return TryLater(f"SMTP {code}") if code < 500 else Rejected(f"SMTP {code}")
