"""SMTP sender: one e-mail per connection, under a total deadline, with errors mapped to failures."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

import aiosmtplib

from flows.domain.connect_failure import find_tls_errors
from flows.domain.failures import Misconfigured, OutcomeUnknown, Rejected, TooLarge, TryLater, Undelivered
from flows.domain.records import OutboundMessage
from gateway.delivery.mail.mail_address import MailAddress, parse_mail_address, parse_sender
from gateway.delivery.mail.mail_message import build_mail
from gateway.delivery.mail.smtp_replies import SmtpPhase, classify_reply
from gateway.providers._shared.connect_outcome import unsent_after
from gateway.providers.contract import SentMessage

NAME = "smtp"
DEFAULT_PORTS = {"smtp": 587, "smtp+starttls": 587, "smtps": 465}
URL_ERROR = "must be smtp://host:port, smtp+starttls://user:password@host or smtps://user:password@host"
DEADLINE_SECONDS = 8.0
"""Longest time of one e-mail: less than a route gives a call, so that the sender says how far it got."""
_LINE_DOT = re.compile(rb"^\.", re.MULTILINE)


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
    requires_starttls: bool = False
    """Nothing is sent without STARTTLS (`smtp+starttls`)."""


def parse_smtp_url(url: str, sender: str) -> SmtpAccount:
    """Parse `smtp[s]://` or `smtp+starttls://[user:password@]host[:port]`, and check the From header.

    Raises ValueError for anything else, without showing it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise ValueError(URL_ERROR) from None  # its message would show the URL
    if not parts.hostname or parts.scheme not in DEFAULT_PORTS:
        raise ValueError(URL_ERROR)
    parse_sender(sender)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return SmtpAccount(
        parts.hostname,
        port,
        user,
        password,
        parts.scheme == "smtps",
        sender,
        parts.scheme == "smtp+starttls",
    )


@dataclass(slots=True)
class _SmtpAttempt:
    """How far one attempt got."""

    phase: SmtpPhase = SmtpPhase.CONNECT


class SmtpSender:
    """Sends notices as e-mail; the caller has made sure that the address is validated."""

    def __init__(
        self,
        account: SmtpAccount,
        deadline_seconds: float = DEADLINE_SECONDS,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._account = account
        self._sender = parse_sender(account.sender)
        self._deadline_seconds = min(deadline_seconds, DEADLINE_SECONDS)
        self._now = now

    async def send(self, notice: OutboundMessage) -> SentMessage:
        """Send one notice, see `Sender.send`."""
        try:
            to = parse_mail_address(notice.to)
        except ValueError:
            raise Rejected("the recipient is not an address") from None
        # in a thread: the base64 of a document of 5 MB takes tens of milliseconds
        message_id, content = await asyncio.to_thread(build_mail, notice, self._sender, to, self._now())
        attempt = _SmtpAttempt()
        try:
            async with asyncio.timeout(self._deadline_seconds):
                await self._transmit(content, to, attempt)
        except (aiosmtplib.SMTPException, TimeoutError, OSError) as error:
            raise _classify_error(error, attempt) from None  # its message may hold the address
        return SentMessage(NAME, message_id)

    async def close(self) -> None:
        """Do nothing: no connection is kept between messages."""

    async def _transmit(self, content: bytes, to: MailAddress, attempt: _SmtpAttempt) -> None:
        """Connect, log in and transmit the message, noting how far it got."""
        account = self._account
        client = aiosmtplib.SMTP(
            hostname=account.host,
            port=account.port,
            use_tls=account.implicit_tls,
            start_tls=False,
            timeout=None,
        )
        try:
            await client.connect()
            await self._secure_and_log_in(client)
            options = _choose_options(client, to, len(content))
            attempt.phase = SmtpPhase.MAIL
            await client.mail(str(self._sender[1]), options=options)
            attempt.phase = SmtpPhase.RCPT
            await client.rcpt(str(to), encoding="utf-8")
            attempt.phase = SmtpPhase.DATA
            await _send_text(client, content, attempt)
        finally:
            client.close()

    async def _secure_and_log_in(self, client: aiosmtplib.SMTP) -> None:
        """Upgrade to TLS where it is offered, and log in; a password never leaves in clear."""
        account = self._account
        try:
            await client.ehlo()
        except aiosmtplib.SMTPHeloError:
            await client.helo()
        is_secure = account.implicit_tls
        if not is_secure and client.supports_extension("starttls"):
            await client.starttls()
            await client.ehlo()
            is_secure = True
        if not is_secure and account.requires_starttls:
            raise Misconfigured("the mail server does not offer STARTTLS")
        if account.user and not is_secure:
            raise Misconfigured("the mail server offers no TLS, and a password is not sent in clear")
        if account.user:
            await client.login(account.user, account.password)


def _choose_options(client: aiosmtplib.SMTP, to: MailAddress, size: int) -> list[str]:
    """Return the options of MAIL; Rejected when the relay takes no such address, or no mail of this size."""
    options = []
    if client.supports_extension("size"):
        limit = client.esmtp_extensions["size"]
        if limit.isdecimal() and 0 < int(limit) < size:
            raise TooLarge(f"the mail server takes {limit} bytes")
        options.append(f"SIZE={size}")
    if not to.needs_smtputf8:
        return options
    if not client.supports_extension("smtputf8"):
        raise Rejected("the mail server takes no addresses beyond ASCII")
    return [*options, "SMTPUTF8"]


async def _send_text(client: aiosmtplib.SMTP, content: bytes, attempt: _SmtpAttempt) -> None:
    """Send DATA and, once the server asks for it, the text."""
    reply = await client.execute_command(b"DATA")
    if reply.code != aiosmtplib.SMTPStatus.start_input:
        raise aiosmtplib.SMTPDataError(reply.code, reply.message)
    if client.protocol is None:
        raise aiosmtplib.SMTPServerDisconnected("the connection broke off before the text")
    attempt.phase = SmtpPhase.TEXT
    client.protocol.write(_LINE_DOT.sub(b"..", content) + b".\r\n")
    reply = await client.protocol.read_response()
    if reply.code != aiosmtplib.SMTPStatus.completed:
        raise aiosmtplib.SMTPDataError(reply.code, reply.message)


def _classify_error(error: Exception, attempt: _SmtpAttempt) -> Undelivered:
    """Map an error to a failure: by the server's reply if it gave one, otherwise by how far the attempt got."""
    code = getattr(error, "code", None)
    if isinstance(code, int) and code >= 400:
        return classify_reply(code, str(getattr(error, "message", "")), attempt.phase)
    if isinstance(error, aiosmtplib.SMTPNotSupported):
        return Misconfigured("the mail server does not offer what is needed")
    if attempt.phase is SmtpPhase.TEXT:
        return OutcomeUnknown("the connection broke off after DATA")
    if find_tls_errors(error):
        return unsent_after(error, "the mail server")
    return TryLater(f"no answer from the mail server at {attempt.phase.value}")
