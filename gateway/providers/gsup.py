"""GSUP: USSD as an external USSD entity (EUSE) of osmo-hlr, the register of an Osmocom GSM core."""

from collections.abc import Mapping
from ipaddress import ip_address
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from gateway.gsup.hlr_settings import ENTITY_PREFIX, HlrSettings
from gateway.providers._gsup.gsup_link import GsupLink
from gateway.providers.contract import Connection, Link, LinkEvents, WebhookRoute
from menus.machine.surface import SMALLEST_PAGE

NAME = "gsup"
ROUTES: Mapping[str, WebhookRoute] = MappingProxyType({})
PROVEN_CHANNELS = ("ussd",)
"""The HLR itself names the subscriber."""
PAGE_SIZE = SMALLEST_PAGE
"""osmo-hlr passes no longer text."""
SENDS_MESSAGES = False


class Settings(BaseModel):
    """One external USSD entity of one HLR."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = Field("127.0.0.1", min_length=1)
    """Address of osmo-hlr, on this machine or in a private network: GSUP knows no password."""
    port: int = Field(4222, ge=1, le=65535)
    """Its GSUP port."""
    control_port: int = Field(4259, ge=1, le=65535)
    """Its CTRL port, where the number of an IMSI is asked."""
    name: str = Field("dialtree-00-00-00-00-00-00", pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$")
    """Our name in the HLR's `euse` and `ussd route` lines, without `EUSE-`; every operator needs its own."""
    binds: Literal[1] = 1
    """Always 1: osmo-hlr uses one connection of a name, and tells a second nothing."""
    guard_seconds: float = Field(30.0, ge=3, le=600)
    """The HLR's `ncss-guard-timeout`: what is answered later, it drops. Never above what the HLR has."""
    ping_seconds: float = Field(10.0, ge=1, le=600)
    """Silence after which the HLR is asked whether it is there."""
    retry_seconds: float = Field(5.0, ge=0.5, le=300)
    """Longest wait between attempts to connect."""

    @field_validator("host")
    @classmethod
    def _check_host(cls, host: str) -> str:
        """Refuse an address of the public network: any entity there could answer any session."""
        try:
            is_public = ip_address(host).is_global
        except ValueError:
            is_public = False
        if is_public:
            raise ValueError("GSUP has no password: use an address of this machine or of a private network")
        return host

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        """Refuse the prefix that is added on the wire."""
        if name.startswith(ENTITY_PREFIX):
            raise ValueError(f"leave out {ENTITY_PREFIX}: the HLR's configuration has the name without it")
        return name


def network_name(connection: Connection) -> str:
    """Return the name only one connection may have at the network; two operators with one stop the start."""
    settings: Settings = connection.settings
    return f"{settings.name} at {settings.host}:{settings.port}"


def connect_link(connection: Connection, events: LinkEvents) -> Link:
    """Return the link; nothing is opened before it runs."""
    settings: Settings = connection.settings
    hlr = HlrSettings(
        settings.host,
        settings.port,
        settings.name,
        connection.operator,
        settings.control_port,
        settings.ping_seconds,
        longest_wait_seconds=settings.retry_seconds,
    )
    return GsupLink(connection, events, hlr, settings.guard_seconds)
