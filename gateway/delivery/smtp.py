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
from flows.domain.records import OutboundMessage
from gateway.providers.contract import SentMessage

NAME = "smtp"
DEFAULT_PORTS = {"smtp": 587, "smtps": 465}
URL_ERROR = "must be smtp://host:port or smtps://user:password@host"
AUTHENTICATION_CODES = frozenset({530, 534, 535, 538})
"""SMTP replies about our login: no message will pass before a person has looked."""


@dataclass(frozen=True, slots=True)
class SmtpAccount:
    """SMTP server, login and From header."""

    host: str
    port: int
    user: str = field(repr=False)
    password: str = field(repr=False)
    implicit_tls: bool
    """TLS from the first byte (`smtps`); otherwise STARTTLS when the server offers it."""
    sender: str
    """The From header, e.g. `Orange <no-reply@gw.example.net>`."""


def parse_smtp_url(url: str, sender: str) -> SmtpAccount:
    """Parse `smtp[s]://[user:password@]host[:port]`; ValueError for anything else, without showing it."""
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise ValueError(URL_ERROR) from None  # its message would show the URL
    if not parts.hostname:
        raise ValueError(URL_ERROR)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return SmtpAccount(parts.hostname, port, user, password, parts.scheme == "smtps", sender)


@dataclass(slots=True)
class _SmtpAttempt:
    """How far one attempt got."""

    data_started: bool = False
    """Whether the body has begun to leave; from then on only the server's reply tells the outcome."""


class SmtpSender:
    """Sends notices as e-mail; the caller has made sure that the address is validated."""

    def __init__(self, account: SmtpAccount, deadline_seconds: float = 9.0) -> None:
        self._account = account
        self._deadline_seconds = deadline_seconds

    async def send(self, notice: OutboundMessage) -> SentMessage:
        """Send one notice, see `Sender.send`.

        The Message-ID is a hash of the notice's key, so a repeat is the same message.
        """
        message = build_message(notice, self._account.sender)
        attempt = _SmtpAttempt()
        try:
            async with asyncio.timeout(self._deadline_seconds):
                await self._transmit(message, notice.to, attempt)
        except (aiosmtplib.SMTPException, TimeoutError, OSError) as error:
            raise _classify_error(error, attempt) from None  # its message may hold the address
        return SentMessage(NAME, str(message["Message-ID"]))

    async def close(self) -> None:
        """Do nothing: no connection is kept between messages."""

    async def _transmit(self, message: EmailMessage, to: str, attempt: _SmtpAttempt) -> None:
        """Connect, log in and transmit the message, noting when its data begins to leave."""
        account = self._account
        client = aiosmtplib.SMTP(
            hostname=account.host,
            port=account.port,
            use_tls=account.implicit_tls,
            username=account.user or None,
            password=account.password or None,
            timeout=None,
        )
        try:
            await client.connect()
            await client.mail(parseaddr(account.sender)[1])
            await client.rcpt(to)
            attempt.data_started = True
            await client.data(message.as_bytes(policy=WIRE))
        finally:
            client.close()


def build_message(notice: OutboundMessage, sender: str) -> EmailMessage:
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


def _classify_error(error: Exception, attempt: _SmtpAttempt) -> Undelivered:
    """Map an error to a failure: by the server's code if it gave one, otherwise by how far the attempt got."""
    code = getattr(error, "code", None)
    if isinstance(error, aiosmtplib.SMTPResponseException) and isinstance(code, int) and code >= 400:
        return _classify_code(code)
    if isinstance(error, aiosmtplib.SMTPNotSupported):
        return Misconfigured("the mail server does not offer what is needed")
    if attempt.data_started:
        return OutcomeUnknown("the connection broke off after DATA")
    return TryLater("no connection to the mail server")


def _classify_code(code: int) -> Undelivered:
    """Map an SMTP code to a failure: 4xx is retried, 5xx is not."""
    if code in AUTHENTICATION_CODES:
        return Misconfigured(f"SMTP {code}")
    return TryLater(f"SMTP {code}") if code < 500 else Rejected(f"SMTP {code}")
