"""Provider interface: reading webhooks, writing replies, checking authenticity, connecting a sender.

A provider module defines `NAME`, `Settings`, `ROUTES` and `authentic`, which discovery checks, and
`connect_sender` if it sends messages. One that keeps a connection to a network (`LinkProvider`) has no routes
and defines `connect_link` and `PROVEN_CHANNELS`; also `PAGE_SIZE` where its network carries screens of one size
only, `SENDS_MESSAGES = False` where it carries no messages of ours, and `network_name` where the network knows
a link by a name.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from flows.domain.payment_records import CardResult
from flows.domain.records import OutboundMessage, Receipt
from flows.engine.inbound import Inbound
from menus.model.reply import Channel, Reply
from menus.model.value import value_dataclass


@value_dataclass
class Webhook:
    """One request the guard admitted: decoded once, every field a single value."""

    form: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str] = field(repr=False)
    path: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Values of the route's `path_parameters`, by name."""


@value_dataclass
class RawRequest:
    """The same request before decoding: what a signature is computed over."""

    target: str
    """Path and raw query exactly as received."""
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NumberingPlan:
    """How numbers are written in the operator's country; empty reads every number as international."""

    country_code: str = ""
    """E.164 country calling code without its plus: `40`."""
    trunk: str = ""
    """National (trunk) prefix: `0`; empty where there is none."""
    number_lengths: tuple[int, ...] = ()
    """Allowed numbers of digits behind the country code; empty allows any."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One operator's enabled connection to one provider."""

    operator: str
    settings: Any = field(repr=False)
    """The provider's own `Settings` value."""
    public_url: str
    """Base URL the provider reaches us at, e.g. `https://gw.example.net`; never taken from a request."""
    hooks_url: str = field(repr=False)
    """`{public_url}/hooks/{operator}/{provider}[/{token}]`: the base of action URLs sent to the provider."""
    trust: Mapping[str, str]
    """Per channel what the connection proves about a caller: `line` or `none`."""
    addresses: Mapping[str, str]
    """Per channel the operator's own service code or number: ussd `*100#`, voice `411`, sms `477`."""
    locales: Mapping[str, str] = field(default_factory=dict)
    """Per language its BCP 47 tag for speech: `ro` -> `ro-RO`."""
    numbering: NumberingPlan = NumberingPlan()
    page_size: str = ""
    """Page size of its USSD screens, `128/56`; empty for the channel's own."""
    takes_cards: bool = False
    """Whether it takes cards in a call by itself, and tells us the result only."""


@dataclass(frozen=True, slots=True)
class ConversationEnded:
    """The network reports that a conversation is over."""

    session_id: str
    caller: str = field(repr=False)
    channel: str


@dataclass(frozen=True, slots=True)
class OptOut:
    """A recipient asked for no more messages (or for messages again)."""

    number: str = field(repr=False)
    opted_out: bool = True
    """False when the recipient opted in again."""


@dataclass(frozen=True, slots=True)
class TransferFailed:
    """The agent a call was transferred to is busy or does not answer; the caller is still on the line."""

    language: str


SingleEvent = Inbound | ConversationEnded | TransferFailed | CardResult | Receipt | OptOut | None
"""What a webhook means; None for a request that needs no action."""
ProviderEvent = SingleEvent | tuple[SingleEvent, ...]
"""One event, or those of a request that carries several messages or reports; none of these is a call or a USSD
request, whose answer the caller waits for."""


@value_dataclass
class ProviderAnswer:
    """Body of the HTTP answer; its status is always 200."""

    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers that depend on the reply; those of every answer belong to the route."""


BodyFormat = Literal["form", "json", "xml"]
"""Format of a request's body. JSON leaves and XML leaf elements become fields with dotted names:
`{"session": {"id": 1}}` is `session.id`, `1`; the root element's name is left out."""
AuthenticityCheck = Callable[[RawRequest, Mapping[str, str], Connection], bool]
"""A provider's own check of the raw request and its decoded fields, after the path token; never raises."""
EventReader = Callable[[Webhook, Connection], ProviderEvent]
ReplyWriter = Callable[[Reply | None, Connection], ProviderAnswer]
EchoingWriter = Callable[[Reply | None, Connection, Webhook], ProviderAnswer]
"""Writes a reply that repeats fields of its request, such as the session's id."""


@dataclass(frozen=True, slots=True)
class WebhookRoute:
    """A webhook route: how its requests are read and answered. Both are pure and synchronous."""

    read: EventReader
    """Raises BadRequest when a required field is missing or malformed."""
    write: ReplyWriter
    """None writes the empty acknowledgement."""
    required_fields: tuple[str, ...] = ()
    """Field names the guard requires before `read` is called."""
    write_closing: Callable[[str, Connection], ProviderAnswer] | None = None
    """Writes a text as a closing answer, for channels whose every answer is shown to a caller (USSD)."""
    proves_line: bool = False
    """Whether the sender's number is proven by default: it came from the operator's own network.

    A number that came over interconnect may be forged (GSMA: SMS sender spoofing); `trust` in
    the settings can say otherwise for an operator's own trunk.
    """
    accepts_get: bool = False
    """Whether the provider may be configured to send this webhook by GET, its fields in the query."""
    body_format: BodyFormat = "form"
    path_parameters: tuple[str, ...] = ()
    """Names of the path segments that follow the route's own name."""
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers of every answer with status 200."""
    authentic: AuthenticityCheck | None = None
    """Replaces the provider's own check on this route."""
    max_fields: int | None = None
    """Most fields of a request, for one that carries a list; None leaves the guard's own limit."""
    write_with_echo: EchoingWriter | None = None
    """Replaces `write` wherever the request is known."""

    def write_answer(self, reply: Reply | None, connection: Connection, webhook: Webhook) -> ProviderAnswer:
        """Write the answer to a request."""
        if self.write_with_echo is None:
            return self.write(reply, connection)
        return self.write_with_echo(reply, connection, webhook)


@dataclass(frozen=True, slots=True)
class SentMessage:
    """The provider accepted a message."""

    provider: str
    message_id: str
    """Empty when the provider gave none."""


class Sender(Protocol):
    """Sends notices: one attempt per call, no retry, under a total deadline of its own."""

    async def send(self, notice: OutboundMessage) -> SentMessage:
        """Send one notice; raises `flows.domain.failures.Undelivered`, OutcomeUnknown when no answer came."""

    async def close(self) -> None:
        """Close connections and threads."""


ConnectSender = Callable[[Connection], Awaitable[Sender]]


LinkState = Literal["up", "down", "refused"]
"""`refused`: the network rejects our name or password; somebody must mend the settings."""
ReplySender = Callable[[Reply], Awaitable[None]]
"""Sends a reply to the caller; raises a Failure when it is not known to have been taken."""


@dataclass(frozen=True, slots=True)
class LinkReport:
    """What a link is doing, for metrics and readiness; counters begin with the link."""

    state: LinkState
    last_heard_at: float = 0.0
    """When the network was last heard of, in seconds of the monotonic clock; 0 for never."""
    window: int = 0
    """Requests sent and not answered yet."""
    unanswered: int = 0
    """Requests the network never answered."""
    throttled: int = 0
    """Requests the network refused because they came too fast."""
    turned_away: int = 0
    """Messages and new conversations refused because too many were in work."""


class LinkEvents(Protocol):
    """What a link passes to the gateway; one object per link."""

    @property
    def slot(self) -> int:
        """The number of the slot the link holds, from 0."""

    async def answer(self, event: Inbound, send: ReplySender, seconds: float | None = None) -> None:
        """Run a turn of a conversation and send its reply, an apology when it fails; never raises a Failure.

        `seconds`: how long the turn may take where the network waits less than the gateway's own limit.
        """

    async def accept(self, event: SingleEvent) -> None:
        """Store a message or a report, or end a conversation; raises when it must be delivered again."""

    async def identify_message(self, identity: bytes, era: str, *, may_repeat: bool) -> str:
        """Return the id of a message that has none: that of an equal one where it may be its repeat.

        `era` names the unbroken connection the message came by.
        """

    async def find_sent_id(self, candidates: Sequence[str]) -> str | None:
        """Return the spelling of a message id a send was recorded under."""

    def apology(self, channel: Channel = "ussd", language: str = "") -> Reply:
        """Return the reply that ends a conversation we cannot serve; by default in the first language."""

    def find_recording(self, file: str) -> Path | None:
        """Return the path of a recorded prompt of the operator's pack; None for any other file."""

    def now(self) -> datetime:
        """Return the current time, UTC."""


class Link(Protocol):
    """One connection to a network, held by one process at a time."""

    async def run(self) -> None:
        """Connect, serve and connect again by itself, until cancelled; then the connection is closed."""

    async def send(self, notice: OutboundMessage) -> SentMessage:
        """Send one notice; see `Sender.send`. LinkBusy when nothing was sent."""

    async def drain(self) -> None:
        """Take no new conversations, finish what is under way, say goodbye; within 10 seconds."""

    def report(self) -> LinkReport:
        """Return what the link is doing."""


ConnectLink = Callable[[Connection, LinkEvents], Link]
"""Returns a link that is not connected yet."""


class Provider(Protocol):
    """A provider module, as discovery returns it."""

    NAME: str
    """The module's own name, as settings and webhook paths spell it."""
    Settings: type[BaseModel]
    """Frozen; its secrets are `SecretStr`. A `hook_token` field puts a token into the paths."""
    ROUTES: Mapping[str, WebhookRoute]
    """By the last part of the webhook's path."""
    authentic: AuthenticityCheck
    connect_sender: ConnectSender


class LinkProvider(Protocol):
    """A provider module with a link."""

    NAME: str
    Settings: type[BaseModel]
    """Its field `binds` is the number of connections the network grants."""
    ROUTES: Mapping[str, WebhookRoute]
    """Empty."""
    PROVEN_CHANNELS: tuple[str, ...]
    """Channels whose sender the network proves, as `WebhookRoute.proves_line`."""
    connect_link: ConnectLink
