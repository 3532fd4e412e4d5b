"""SMPP 3.4: USSD and SMS by a bind to the operator's own SMSC or USSD gateway."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from flows.domain.records import Secret
from gateway.providers._smpp.dialect import DialectForm, load_dialects
from gateway.providers._smpp.smpp_link import SmppLink
from gateway.providers.contract import Connection, Link, LinkEvents, WebhookRoute
from gateway.smpp.session_settings import SmppSettings, client_tls_context
from gateway.smpp.wire.bodies import SmppAddress
from gateway.smpp.wire.data_coding import CodingRules
from gateway.smpp.wire.sms_records import StatusKind

NAME = "smpp"
ROUTES: Mapping[str, WebhookRoute] = MappingProxyType({})
PROVEN_CHANNELS = ("ussd", "sms")
"""The operator's own SMSC names the subscriber; `trust` says otherwise for an aggregator's."""
ALPHANUMERIC_TON, UNKNOWN_TON, ISDN_NPI = 5, 0, 1


class Settings(BaseModel):
    """One account at one SMSC, as its engineers describe it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = Field(min_length=1)
    """Name or address of the SMSC."""
    port: int = Field(2775, ge=1, le=65535)
    """Its port; 2775 is the registered one, 3550 often that of TLS."""
    system_id: str = Field(min_length=1, max_length=15)
    """Name of the account, at most 15 characters."""
    password: SecretStr = Field(min_length=1, max_length=8)
    """At most 8 characters (SMPP 3.4, 4.1): TLS or a private network protects it, not its length."""
    system_type: str = Field("", max_length=12)
    """Category of the account, where the SMSC asks for one."""
    bind: Literal["transceiver", "pair"] = "transceiver"
    """`pair` for an SMSC that wants a transmitter and a receiver."""
    binds: int = Field(1, ge=1, le=16)
    """Connections the operator grants this account; each is held by one process at a time."""
    dialect: str = ""
    """How its USSD gateway speaks, a name of `dialtree dialects`; empty where it carries SMS only."""
    window: int = Field(10, ge=1, le=1000)
    """Most messages without an answer."""
    sender: str = Field("", max_length=20)
    """Sender of our messages; by default the operator's SMS number."""
    sender_ton: int | None = Field(None, ge=0, le=7)
    """Type of number of the sender (SMPP 3.4, 5.2.5); by default read from `sender`."""
    sender_npi: int | None = Field(None, ge=0, le=18)
    """Numbering plan of the sender (5.2.6); by default read from `sender`."""
    address_range: str = Field("", max_length=40)
    """Numbers the account receives for, where the SMSC wants to be told."""
    tls: bool = False
    """Whether the connection is TLS from the first byte; the certificate is checked."""
    ca_file: str = ""
    """The operator's own certificate authority, PEM; by default the system's."""
    certificate: str = ""
    """Our certificate, PEM with its key or beside `key_file`, where the operator asks for one."""
    key_file: str = ""
    """The key of `certificate`, PEM."""
    server_name: str = ""
    """Name in the server's certificate; by default `host`."""
    alphabet: Literal["gsm7", "gsm7-packed", "latin1"] = "gsm7"
    """What data_coding 0 means there."""
    long_texts: Literal["udh8", "udh16", "sar", "payload"] = "udh8"
    """How long texts go: parts with a header of an 8 or 16 bit reference, with `sar_` fields, or whole."""
    enquire_seconds: float = Field(30.0, ge=1, le=600)
    """Silence after which the SMSC is asked whether it is there."""
    retry_seconds: float = Field(30.0, ge=0.5, le=300)
    """Longest wait between attempts to connect."""
    with_reference: bool = True
    """Whether every message carries user_message_reference; false where the SMSC refuses optional fields."""

    statuses: Mapping[str, StatusKind] = Field(default_factory=dict)
    """Statuses of the SMSC's vendor by number, `"0x40A"`: `opted_out`, `recipient`, `temporary` or `ours`."""

    @field_validator("statuses")
    @classmethod
    def _check_statuses(cls, statuses: Mapping[str, StatusKind]) -> Mapping[str, StatusKind]:
        """Accept numbers, decimal or hexadecimal."""
        for written in statuses:
            read_status(written)
        return statuses

    @field_validator("dialect")
    @classmethod
    def _check_dialect(cls, name: str) -> str:
        """Accept the dialects there are and that can be used."""
        if not name:
            return name
        known = load_dialects()
        if name not in known:
            raise ValueError(f"no dialect of this name; there are {', '.join(known)}")
        if known[name].unusable:
            raise ValueError(f"cannot be used yet: {known[name].unusable}")
        return name

    @field_validator("ca_file", "certificate", "key_file")
    @classmethod
    def _check_file(cls, path: str) -> str:
        if path and not Path(path).is_file():
            raise ValueError("no such file")
        return path

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        """Refuse certificates that nothing uses."""
        if not self.tls and (self.ca_file or self.certificate or self.key_file or self.server_name):
            raise ValueError("ca_file, certificate, key_file and server_name need tls = true")
        return self


def connect_link(connection: Connection, events: LinkEvents) -> Link:
    """Return the link of one bind; nothing is opened before it runs."""
    settings: Settings = connection.settings
    dialect: DialectForm | None = load_dialects()[settings.dialect] if settings.dialect else None
    session = replace(session_settings(settings), operator=connection.operator)
    return SmppLink(connection, events, session, dialect, sender_address(connection))


def session_settings(settings: Settings) -> SmppSettings:
    """Return the settings of one bind."""
    tls = None
    if settings.tls:
        tls = client_tls_context(
            settings.ca_file or None, settings.certificate or None, settings.key_file or None
        )
    return SmppSettings(
        host=settings.host,
        port=settings.port,
        system_id=settings.system_id,
        password=Secret(settings.password.get_secret_value()),
        bind_mode=settings.bind,
        system_type=settings.system_type,
        address_range=settings.address_range,
        tls=tls,
        server_name=settings.server_name,
        coding=CodingRules(default_alphabet=settings.alphabet),
        long_texts=settings.long_texts,
        window=settings.window,
        enquire_seconds=settings.enquire_seconds,
        longest_wait_seconds=settings.retry_seconds,
        with_reference=settings.with_reference,
        status_kinds={read_status(written): kind for written, kind in settings.statuses.items()},
    )


def read_status(written: str) -> int:
    """Read a command status as documents write it, `0x40A` or `1034`; ValueError for anything else."""
    try:
        return int(written, 0)
    except ValueError as error:
        raise ValueError(f"{written!r} is no command status; write it as 0x40A") from error


def sender_address(connection: Connection) -> SmppAddress:
    """Return the sender of our messages with its type: letters are alphanumeric, a short code unknown."""
    settings: Settings = connection.settings
    sender = settings.sender or connection.addresses.get("sms", "")
    is_number = sender.removeprefix("+").isdigit()
    ton, npi = (UNKNOWN_TON, ISDN_NPI) if is_number else (ALPHANUMERIC_TON, 0)
    return SmppAddress(
        sender.removeprefix("+"),
        ton if settings.sender_ton is None else settings.sender_ton,
        npi if settings.sender_npi is None else settings.sender_npi,
    )
