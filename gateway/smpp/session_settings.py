"""Settings and callbacks of an SMPP session, and the clock and randomness it uses."""

import asyncio
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from flows.domain.records import Secret
from gateway.smpp.wire.bodies import SmppAddress
from gateway.smpp.wire.concatenation import LongTextMethod
from gateway.smpp.wire.data_coding import CodingRules
from gateway.smpp.wire.protocol import Status
from gateway.smpp.wire.sms_records import DeliveryReceipt, IncomingMessage, StatusKind

BindMode = Literal["transceiver", "pair", "transmitter", "receiver"]
"""`pair` is a transmitter and a receiver of one account, two connections that stand and fall together."""
SessionState = Literal["up", "down", "refused"]
"""`refused`: the SMSC rejects our name or password; somebody must mend the settings."""


@dataclass(frozen=True, slots=True)
class SmppSettings:
    """One bind to one SMSC, as the operator's engineers describe it."""

    host: str
    port: int
    system_id: str
    password: Secret
    operator: str = ""
    """Named in logs."""
    bind_mode: BindMode = "transceiver"
    system_type: str = ""
    address_range: str = ""
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    """None for plain TCP; `client_tls_context` builds one that verifies the server's name."""
    server_name: str = ""
    """Name in the server's certificate; empty for `host`."""
    source: SmppAddress = field(default_factory=lambda: SmppAddress(""))
    coding: CodingRules = field(default_factory=CodingRules)
    long_texts: LongTextMethod = "udh8"
    window: int = 10
    """Most submit_sm without an answer."""
    response_seconds: float = 8.0
    """How long an answer may take; less than the 9 s the delivery worker gives a send."""
    enquire_seconds: float = 30.0
    """Silence after which enquire_link asks whether the SMSC still works."""
    max_inbound: int = 64
    """Most incoming messages in work; more wait `hold_seconds`, then are answered with `busy_status`."""
    hold_seconds: float = 5.0
    busy_status: int = Status.QUEUE_FULL
    throttle_seconds: float = 1.0
    """Pause of the whole bind after RTHROTTLED or RMSGQFUL; doubled while the probe behind it gets the same."""
    status_kinds: Mapping[int, StatusKind] = field(default_factory=dict)
    """Statuses of the SMSC's vendor, such as its opt-out status."""
    longest_wait_seconds: float = 30.0
    """Longest wait between attempts to connect; a refused name or password waits a minute."""
    with_reference: bool = True
    """Whether every submit carries user_message_reference (TLV 0x0204); False where the SMSC refuses TLVs."""


async def _accept_message(_message: IncomingMessage) -> int:
    return Status.OK


async def _accept_receipt(_receipt: DeliveryReceipt) -> int:
    return Status.OK


async def _charge_nothing(_pdus: int) -> None:
    return


@dataclass(frozen=True, slots=True)
class SessionCallbacks:
    """What a session calls. A status returned is the command_status of our answer: 0 took it for good."""

    on_message: Callable[[IncomingMessage], Awaitable[int]] = _accept_message
    """Return when the message is stored; for USSD at once, the menu travels as a submit of its own. An
    exception is answered with RX_T_APPN (0x64), and the SMSC delivers again."""
    on_receipt: Callable[[DeliveryReceipt], Awaitable[int]] = _accept_receipt
    """Called after `submit` returned, where the message left by the same bind and is still in its window."""
    before_submit: Callable[[int], Awaitable[None]] = _charge_nothing
    """Awaited before the PDUs of a message, with their number: a rate limit waits here."""


@dataclass(frozen=True, slots=True)
class SessionRuntime:
    """Clock and randomness of a session, replaced by tests."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    fraction: Callable[[], float] = random.random
    """Between 0 and 1: spreads the reconnects of many processes."""


def client_tls_context(
    ca_file: str | None = None, certificate: str | None = None, key: str | None = None
) -> ssl.SSLContext:
    """Build a TLS context that verifies the server's certificate and name, TLS 1.2 at least.

    `ca_file`: the operator's own authority; None for the system's. `certificate` and `key`: ours, where the
    operator asks for one. OSError or ssl.SSLError when a file cannot be used.
    """
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if certificate:
        context.load_cert_chain(certificate, key)
    return context
