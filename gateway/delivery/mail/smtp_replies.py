"""SMTP replies: whether a refusal is about us, about the recipient, or temporary (RFC 5321, RFC 3463)."""

import re
from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

from flows.domain.failures import Misconfigured, NotNow, Rejected, TooLarge, TryLater, Undelivered


class SmtpPhase(Enum):
    """How far a conversation with a relay got."""

    CONNECT = "connect"
    """Connection, greeting, EHLO, STARTTLS, login."""
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    """The command DATA: until the relay asks for the text, nothing has left."""
    TEXT = "text"
    """The text is being sent; from here on only the relay's reply tells the outcome."""


AUTHENTICATION_CODES = frozenset({530, 534, 535, 538})
"""Replies about our login: no message will pass before the settings are corrected."""

SIZE_REPLY = 552
"""MAIL or the text exceed the relay's size limit (RFC 1870); at RCPT it is the mailbox that is full."""
SIZE_CODES = ("5.2.3", "5.3.4")

ENHANCED_CODES: Mapping[str, type[Undelivered]] = MappingProxyType(
    {
        "5.1.7": Misconfigured,  # bad sender's mailbox address syntax
        "5.1.8": Misconfigured,  # bad sender's system address
        "5.2.3": TooLarge,  # message length exceeds an administrative limit
        "5.3.4": TooLarge,  # message too big for system
        "5.5.": Misconfigured,  # protocol: wrong or unsupported command
        "5.7.1": Rejected,  # not authorised: about us only where the text says so
        "5.7.2": Rejected,  # mailing list expansion prohibited
        "5.7.13": Rejected,  # the recipient's account is disabled
        "5.7.17": Rejected,  # the mailbox has a new owner
        "5.7.18": Rejected,  # the domain has a new owner
        "5.7.": Misconfigured,  # security and policy: relaying, SPF, DKIM, DMARC, lists of hosts
        "5.": Rejected,
        "4.3.": TryLater,  # the relay itself
        "4.4.": TryLater,  # the relay's network
        "4.": NotNow,  # greylisting (4.7.1, 4.2.0), mailbox full (4.2.2), its system away
    }
)
"""Failure by the longest prefix of an enhanced status code (RFC 3463 and IANA's registry)."""

ABOUT_US = re.compile(
    r"relay|rcpthosts|sender|client host|blocked using|block ?list|blacklist|authenticat|not permitted to send"
    r"|spf\b|dkim|dmarc|reverse dns|\bptr\b|your (ip|host|server)",
    re.IGNORECASE,
)
"""Words of relays that refuse us without saying so by a code."""

_ENHANCED = re.compile(r"\b([45])\.(\d{1,3})\.(\d{1,3})\b")


def classify_reply(code: int, text: str, phase: SmtpPhase) -> Undelivered:
    """Return the failure that a reply of 400 or more means; before RCPT no refusal is the recipient's."""
    enhanced = _ENHANCED.search(text)
    status = enhanced.group() if enhanced and enhanced.group(1) == str(code // 100) else ""
    kind = _failure_class(code, text, status, phase)
    return kind(f"SMTP {code} {status} at {phase.value}".replace("  ", " "))


def _failure_class(code: int, text: str, status: str, phase: SmtpPhase) -> type[Undelivered]:
    if code in AUTHENTICATION_CODES:
        return Misconfigured
    if status in SIZE_CODES or (code == SIZE_REPLY and not status and phase is not SmtpPhase.RCPT):
        return TooLarge
    if phase in (SmtpPhase.CONNECT, SmtpPhase.MAIL):
        return TryLater if code < 500 else Misconfigured
    if code == 421 or (code < 500 and not status and phase is not SmtpPhase.RCPT):
        return TryLater
    if code in (500, 501, 502, 503, 504) and not status:
        return Misconfigured
    kind = ENHANCED_CODES[_longest_prefix(status or f"{code // 100}.")]
    return Misconfigured if kind is Rejected and ABOUT_US.search(text) else kind


def _longest_prefix(status: str) -> str:
    """Return the entry of `ENHANCED_CODES` for a status: the whole code, its subject or its class."""
    subject = status[: status.rfind(".") + 1]
    return next(each for each in (status, subject, status[:2]) if each in ENHANCED_CODES)
