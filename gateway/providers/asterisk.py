"""Asterisk (ARI): calls over an operator's own SIP trunk."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from flows.domain.records import Secret
from gateway.asterisk.ari_client import AriAccount
from gateway.asterisk.event_stream import StreamSettings
from gateway.providers._asterisk.asterisk_link import AsteriskLink, CallSettings
from gateway.providers._asterisk.trunk_caller import TrustedTrunks
from gateway.providers.contract import Connection, Link, LinkEvents, WebhookRoute
from gateway.speech.prompt_folder import PromptFolder
from gateway.speech.speech_command import ESPEAK_COMMAND, SOX_COMMAND, SpeechCommand

NAME = "asterisk"
ROUTES: Mapping[str, WebhookRoute] = MappingProxyType({})
SENDS_MESSAGES = False
PROVEN_CHANNELS = ("voice",)
"""Only of calls that come by a trunk the settings name: `trunk_endpoints`, `trunk_contexts`."""
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")


EndpointName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]+/[^\s,]+$")]
ContextName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]


class Settings(BaseModel):
    """One Asterisk, and how its calls are served."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str = Field("http://127.0.0.1:8088", pattern=r"^https?://[^/@\s]+$")
    """Base URL of its HTTP server; `https` unless it is this machine's own."""
    user: str = Field(min_length=1)
    """Name of its section in `ari.conf`."""
    password: SecretStr = Field(min_length=1)
    """The password there."""
    ca_file: str = ""
    """The certificate authority of its HTTPS, PEM; by default the system's."""
    application: str = Field("", pattern=r"^[A-Za-z0-9_-]*$")
    """First part of the name in the dialplan's `Stasis()`; the slot's number follows: `dialtree-0`."""
    binds: int = Field(1, ge=1, le=16)
    """Names, each held by one process at a time; the dialplan spreads calls over them."""
    trunk_endpoints: tuple[EndpointName, ...] = ()
    """Endpoints whose caller numbers the operator's own network proves: `PJSIP/operator-trunk`."""
    trunk_contexts: tuple[ContextName, ...] = ()
    """Contexts of the dialplan that only such trunks reach; where both are named, both must fit."""
    sounds: Path
    """Folder for prompts, which Asterisk can read; its group should be Asterisk's."""
    sounds_in_asterisk: str = Field("", pattern=r"^(/[^\s,&]*)?$")
    """The same folder as Asterisk sees it; by default the same path."""
    max_prompts: int = Field(2000, ge=100, le=100_000)
    """Most fixed prompts kept in the folder."""
    speech_command: tuple[str, ...] = Field(ESPEAK_COMMAND, min_length=1)
    """Speaks the text of its standard input as a WAV file on its standard output; `{voice}` is the voice."""
    speech_voices: Mapping[str, str] = Field(default_factory=dict)
    """What stands for `{voice}`, by language of the pack; by default the language, `ro`."""
    speech_converter: tuple[str, ...] = Field(SOX_COMMAND, min_length=1)
    """Makes 8 kHz, 16 bits, one channel of a WAV file of another form."""
    transfer_context: str = Field("dialtree-transfer", pattern=r"^[A-Za-z0-9_-]+$")
    """Context of the dialplan that dials an agent."""
    ring_seconds: int = Field(30, ge=5, le=300)
    """How long an agent's telephone rings."""
    max_calls: int = Field(100, ge=1, le=5000)
    """Most calls of one name at once; more go on at the dialplan's label `away`."""
    retry_seconds: float = Field(15.0, ge=0.5, le=300)
    """Longest wait between attempts to connect."""

    @model_validator(mode="after")
    def _check_url(self) -> Self:
        """Refuse a password over a network in clear, and files that are not there."""
        parts = urlsplit(self.url)
        if parts.scheme != "https" and parts.hostname not in LOOPBACK_HOSTS:
            raise ValueError("url: must begin with https://; http:// only for this machine alone")
        if self.ca_file and not Path(self.ca_file).is_file():
            raise ValueError("ca_file: no such file")
        if not self.sounds.is_absolute():
            raise ValueError("sounds: must be an absolute path")
        return self


def connect_link(connection: Connection, events: LinkEvents) -> Link:
    """Return the link of one name; nothing is opened before it runs."""
    settings: Settings = connection.settings
    name = f"{application_prefix(connection)}-{events.slot}"
    speech = SpeechCommand(settings.speech_command, settings.speech_converter, settings.speech_voices)
    return AsteriskLink(
        connection,
        events,
        stream_settings(settings, name, connection.operator),
        call_settings(settings),
        PromptFolder(settings.sounds, name, speech, settings.max_prompts),
    )


def network_name(connection: Connection) -> str:
    """Return the name that is the link's alone at its network: two would silence each other."""
    settings: Settings = connection.settings
    return f"{settings.url} {application_prefix(connection)}"


def application_prefix(connection: Connection) -> str:
    """Return the application's name without the slot's number."""
    settings: Settings = connection.settings
    return settings.application or f"dialtree-{connection.operator}"


def stream_settings(settings: Settings, application: str, operator: str) -> StreamSettings:
    """Return what one name's event stream connects to."""
    account = AriAccount(
        settings.url, settings.user, Secret(settings.password.get_secret_value()), settings.ca_file
    )
    return StreamSettings(account, application, operator, settings.retry_seconds)


def call_settings(settings: Settings) -> CallSettings:
    """Return how the calls of one name are served."""
    return CallSettings(
        max_calls=settings.max_calls,
        transfer_context=settings.transfer_context,
        ring_seconds=settings.ring_seconds,
        sounds_seen_as=(settings.sounds_in_asterisk or str(settings.sounds)).rstrip("/"),
        trunks=TrustedTrunks(settings.trunk_endpoints, settings.trunk_contexts),
    )
