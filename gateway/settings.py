"""Settings: a frozen model read from dialtree.toml and the environment; invalid values stop the start."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from flows.domain.records import Secret
from flows.engine.load_shedding import MAX_CONCURRENT_TURNS
from gateway.console_settings import ConsoleSettings
from gateway.delivery.desk.signed_webhook import signing_key
from gateway.delivery.mail.mail_address import parse_mail_address, parse_sender
from gateway.http.client_address import check_networks
from gateway.payments.provider_settings import PaymentSettings
from gateway.payments.wallet_settings import WalletSettings
from gateway.providers.contract import Provider
from gateway.purchases.merchant_settings import PurchaseSettings
from gateway.settings_errors import format_errors, missing_file_hint
from gateway.settings_sources import FILE_VARIABLE, PacksFolder, SettingsError, read_tables
from gateway.telemetry_settings import TelemetrySettings
from menus.machine.surface import LARGEST_PAGE, PAGE_SIZE_PATTERN, SMALLEST_PAGE, parse_page_size
from storage.sessions.redis_url import split_redis_url
from storage.sql.postgres_url import parse_postgres_url

OUR_CONNECTION_FIELDS = ("trust", "sources", "deduplicates", "page_size")
"""Fields of a connection that are not its provider's own."""


class Section(BaseModel):
    """Base of all settings: frozen, unknown fields are errors, input values stay out of messages."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class RouteSettings(Section):
    """Which provider sends SMS, and which relay sends e-mail."""

    sms: tuple[str, ...] = ()
    """SMS providers in order of preference, e.g. `africastalking`; the others are used on failover."""
    email: str = Field(default="", pattern=r"^(smtp(s|\+starttls)?://[^/\s]+)?$", repr=False)
    """Mail relay: `smtps://user:password@host`, `smtp+starttls://...` (TLS demanded) or `smtp://host:port`."""
    email_from: str = ""
    """From address of e-mail; by default `no-reply@` and the host of `public_url`."""
    bounces: str = ""
    """Maildir that mail to `email_from` is delivered to; workers read bounces (RFC 3464) from it."""
    bounces_token: SecretStr = SecretStr("")
    """Secret part of the path a relay posts bounces to; empty accepts none."""

    @field_validator("email_from")
    @classmethod
    def _check_sender(cls, sender: str) -> str:
        """Accept one address with or without a name; bounces to anything else are lost."""
        if sender:
            parse_sender(sender)
        return sender

    @field_validator("sms", mode="before")
    @classmethod
    def _split_names(cls, names: Any) -> Any:
        """Accept one name, comma-separated names or a list."""
        if not isinstance(names, str):
            return names
        return tuple(name.strip() for name in names.split(",") if name.strip())


class DeskSettings(Section):
    """The help desk that gets disputes and callback requests; without a kind they are only listed."""

    kind: Literal["", "tmf621", "webhook", "email"] = ""
    """`tmf621` for a TM Forum trouble ticket, `webhook` for a signed webhook, `email` for mail."""
    url: str = Field(default="", pattern=r"^(https?://[^@\s]+)?$", repr=False)
    """Base URL of the TMF621 API, e.g. `https://bss.example/tmf-api/troubleTicket/v4`, or the webhook's URL."""
    token: SecretStr = SecretStr("")
    """Bearer token, where the URL asks for one."""
    secret: SecretStr = SecretStr("")
    """Key of the webhook's signature, as it stands or as `whsec_` and base64."""
    to: str = Field(default="", repr=False)
    """Address of the desk's mail."""

    @model_validator(mode="after")
    def _check_fields(self) -> Self:
        """Demand what the kind needs."""
        needs = {"tmf621": ("url",), "webhook": ("url", "secret"), "email": ("to",)}.get(self.kind, ())
        missing = [name for name in needs if not getattr(self, name)]
        if missing:
            raise ValueError(f"{self.kind} needs {' and '.join(missing)}")
        if self.to:
            parse_mail_address(self.to)
        if self.secret.get_secret_value():
            signing_key(Secret(self.secret.get_secret_value()))
        return self


class RateSettings(Section):
    """Rate limit of each route per second and worker process: parts of SMS, mails, events; 0 for no limit."""

    sms: float = Field(default=0.0, ge=0)
    """The SMS providers' limit in message parts, divided by the number of workers."""
    email: float = Field(default=0.0, ge=0)
    """The mail relay's limit, divided by the number of workers."""
    desk: float = Field(default=0.0, ge=0)
    """The help desk's limit, divided by the number of workers."""


class ConnectionSettings(Section):
    """One operator's connection to one provider."""

    trust: Mapping[Literal["ussd", "sms", "voice"], Literal["line", "none"]] = Field(default_factory=dict)
    """What the connection proves, by channel; by default USSD and SMS the line, voice nothing."""
    sources: tuple[str, ...] = ()
    """Networks that requests may come from, as CIDR; empty allows any."""
    deduplicates: bool = False
    """Whether the provider takes a message once per idempotency key: an unknown send is then repeated."""
    page_size: str = Field("", pattern=rf"^({PAGE_SIZE_PATTERN})?$")
    """Largest USSD screen it carries, septets/UCS-2 units, `128/56` to `182/80`; empty: `160/70`."""
    settings: Any = Field(repr=False)
    """The provider's own settings."""

    @field_validator("page_size")
    @classmethod
    def _check_page_size(cls, page_size: str) -> str:
        """Refuse sizes the packs are not checked at, and larger ones than a USSD string."""
        least, most = parse_page_size(SMALLEST_PAGE), parse_page_size(LARGEST_PAGE)
        size = parse_page_size(page_size or SMALLEST_PAGE)
        if not (least.gsm7 <= size.gsm7 <= most.gsm7 and least.ucs2 <= size.ucs2 <= most.ucs2):
            raise ValueError(f"must be between {SMALLEST_PAGE} and {LARGEST_PAGE}")
        return page_size

    @field_validator("sources")
    @classmethod
    def _check_networks(cls, cidrs: tuple[str, ...]) -> tuple[str, ...]:
        return check_networks(cidrs)


class OperatorSettings(Section):
    """Settings of one operator."""

    billing: str = Field("sql", repr=False)
    """`sql` for the project's own tables, or a backend's URL: `tmf678+https://...`, `killbill+https://...`."""
    bss: Mapping[str, Any] = Field(default_factory=dict, repr=False)
    """The billing backend's own settings, which it validates; docs/billing.md lists the fields."""
    routes: RouteSettings = RouteSettings()
    rates: RateSettings = RateSettings()
    desk: DeskSettings = DeskSettings()
    payments: PaymentSettings | None = None
    """The payment provider behind the link sent by SMS."""
    wallet: WalletSettings | None = None
    """The wallet bills are paid from, beside the link or instead; without both no bill is paid here."""
    purchases: PurchaseSettings | None = None
    """The merchants that charge purchases to the bill; none without it."""
    sms_prefixes: tuple[str, ...] = ()
    """Allowed prefixes of SMS recipients, e.g. `+40`; by default the operator's country code."""
    sms_parts_a_day: int = Field(default=0, ge=0)
    """Daily cap (UTC) of SMS message parts, for all purposes together; 0 for none."""
    revisions: bool = True
    """Whether a pack revision published in the database is served; false: always the pack of the folder."""
    notify_without_asking: int = Field(default=10_000, ge=0)
    """Messages `dialtree notify` enqueues without a confirmation; 0 never asks for one."""
    links: Mapping[str, ConnectionSettings] = Field(default_factory=dict, repr=False)
    """Connections, by provider."""


class Settings(Section):
    """All settings of the gateway."""

    public_url: str = Field(pattern=r"^https?://[^/\s]+$")
    """URL by which providers and subscribers reach us, without a trailing slash; signatures use it."""
    secret_key: SecretStr = Field(min_length=32)
    """Key of all keyed hashes and encrypted bodies: 32 characters or more, equal on all processes."""
    database_url: str = Field(
        "sqlite:///var/dialtree.db", pattern=r"^(sqlite|postgres(ql)?(\+\w+)?)://", repr=False
    )
    """`sqlite:///path` or `postgresql://...`, which may hold a password."""
    redis_url: str = Field("", pattern=r"^(rediss?(\+(sentinel|cluster))?://\S+)?$", repr=False)
    """`redis://...` for sessions shared by several processes; empty keeps them in memory."""
    redis_seconds: float = Field(0.1, ge=0.01, le=2)
    """Timeout of Redis in a turn, in seconds; then this process's memory is used."""
    host: str = "0.0.0.0"  # noqa: S104 - the reverse proxy must be able to reach it
    """Address the public listener binds."""
    port: int = Field(8080, ge=0, le=65535)
    """Port of the public listener."""
    internal_port: int | None = Field(None, ge=0, le=65535)
    """Port of /healthz, /readyz and /metrics; by default 1010 above `port`: 9090 for 8080."""
    worker_port: int | None = Field(None, ge=0, le=65535)
    """The same of `dialtree worker`; by default 1110 above `port` (9190 for 8080), or the next that is free."""
    internal_host: str = "127.0.0.1"
    """Address the internal listeners bind."""
    red_seconds: float = Field(1.0, ge=0, le=60)
    """How long /readyz fails before the public listener closes, so that load balancers notice."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks of our own proxies, as CIDR; only their X-Forwarded-For is believed. Behind one that is not
    listed, all requests seem to have one client address and share its limits."""
    refused_per_minute: int = Field(300, ge=1)
    """Rate limit of rejected requests (token, signature) per client address; further ones are not read."""
    turns_per_minute: int = Field(120, ge=1)
    """Rate limit of requests per subscriber."""
    turns_at_once: int = Field(MAX_CONCURRENT_TURNS, ge=1)
    """Concurrent turns of a process; above it, load shedding asks new callers to dial again later."""
    demo: bool = False
    """The demo world: loopback only, messages are recorded and not sent."""
    packs: PacksFolder = ""
    """Folder of packs beside the shipped ones; a pack of the same name takes precedence."""
    console: ConsoleSettings | None = None
    """The support console; none without this table."""
    telemetry: TelemetrySettings | None = None
    """Export of traces and metrics to an OpenTelemetry collector; none without this table."""
    operators: Mapping[str, OperatorSettings] = Field(min_length=1)
    """Operators by name, e.g. `orange-ro`."""

    @field_validator("database_url")
    @classmethod
    def _check_database(cls, url: str) -> str:
        if url.startswith("postgres"):
            parse_postgres_url(f"postgresql://{url.partition('://')[2]}")
        return url

    @field_validator("redis_url")
    @classmethod
    def _check_redis(cls, url: str) -> str:
        if url:
            split_redis_url(url)
        return url

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, cidrs: tuple[str, ...]) -> tuple[str, ...]:
        return check_networks(cidrs)


def load_settings(
    providers: Mapping[str, Provider], path: Path, environ: Mapping[str, str], base: dict[str, Any]
) -> Settings:
    """Load `base`, overridden by the file, overridden by the environment; SettingsError names the field."""
    raw = read_tables(path, environ, base)
    operators = _require_table("operators", raw.get("operators", {}))
    raw["operators"] = {
        name: _parse_operator(name, section, providers, environ) for name, section in operators.items()
    }
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        raise SettingsError(format_errors(error, "", Settings, environ) + missing_file_hint(path)) from error


def config_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the settings file: `DIALTREE_CONFIG`, or `dialtree.toml` in the current folder."""
    return Path(environ.get(FILE_VARIABLE, "dialtree.toml"))


def read_packs_folder(environ: Mapping[str, str]) -> str:
    """Return the folder of further packs, read before the rest of the settings."""
    return str(read_tables(config_path(environ), environ, {}).get("packs", ""))


def _require_table(place: str, raw: Any) -> Mapping[str, Any]:
    """Return the value, which must be a table; SettingsError otherwise."""
    if not isinstance(raw, Mapping):
        raise SettingsError(f"{place}: must be a table")
    return raw


def _parse_operator(
    name: str, raw: Any, providers: Mapping[str, Provider], environ: Mapping[str, str]
) -> OperatorSettings:
    place = f"operators.{name}"
    section = _require_table(place, raw)
    links = {
        key: _parse_connection(f"{place}.{key}", section[key], providers[key], environ)
        for key in section
        if key in providers
    }
    rest = {key: value for key, value in section.items() if key not in providers}
    try:
        operator = OperatorSettings.model_validate({**rest, "links": links})
    except ValidationError as error:
        raise SettingsError(format_errors(error, place, OperatorSettings, environ, providers)) from error
    if operator.desk.kind == "email" and not operator.routes.email:
        raise SettingsError(f"{place}.desk.kind: email needs {place}.routes.email, the relay that sends it")
    if any(provider not in links for provider in operator.routes.sms):
        raise SettingsError(f"{place}.routes.sms: must name providers that have a section of their own here")
    return operator


def _parse_connection(
    place: str, raw: Any, provider: Provider, environ: Mapping[str, str]
) -> ConnectionSettings:
    section = _require_table(place, raw)
    ours = {key: section[key] for key in OUR_CONNECTION_FIELDS if key in section}
    theirs = {key: value for key, value in section.items() if key not in ours}
    form = provider.Settings
    try:
        settings = form.model_validate(theirs)
    except ValidationError as error:
        raise SettingsError(format_errors(error, place, form, environ, OUR_CONNECTION_FIELDS)) from error
    try:
        return ConnectionSettings.model_validate({**ours, "settings": settings})
    except ValidationError as error:
        raise SettingsError(format_errors(error, place, ConnectionSettings, environ)) from error
