"""Settings: one frozen value, read once from a file and the environment; silly values stop the start."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from flows.engine.load_shedding import AT_ONCE
from gateway.http.client_address import networks
from gateway.providers.contract import Provider
from menus.model.errors import Unusable

PREFIX = "DIALTREE_"
PLAIN = {"DATABASE_URL": "database_url", "REDIS_URL": "redis_url", "PORT": "port"}
"""Variables every platform names alike."""


class SettingsError(Unusable):
    """The settings cannot be used; the message names the field and never a value."""


class Section(BaseModel):
    """Anything in the settings: unknown fields are refused, values are frozen, inputs stay out of errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def networks_told(given: tuple[str, ...]) -> tuple[str, ...]:
    """The same, if they are networks; ValueError otherwise."""
    networks(given)
    return given


class Routes(Section):
    """Which provider carries what goes out."""

    sms: tuple[str, ...] = ()
    """Providers by which SMS leave, e.g. `africastalking`: the first, and those to turn to when it is out."""
    email: str = Field(default="", pattern=r"^(smtps?://[^/\s]+)?$", repr=False)
    """Where e-mail leaves: `smtp://host:port` or `smtps://user:password@host`."""
    email_from: str = ""
    """The From of e-mail; by default `no-reply@` and the host of `public_url`."""

    @field_validator("sms", mode="before")
    @classmethod
    def _listed(cls, given: Any) -> Any:
        """One name, names between commas, or a list."""
        if not isinstance(given, str):
            return given
        return tuple(name.strip() for name in given.split(",") if name.strip())


class Rates(Section):
    """Messages a second that each delivering process sends by a route; 0 for no limit."""

    sms: float = Field(default=0.0, ge=0)
    """What the SMS providers permit, divided by the number of workers."""
    email: float = Field(default=0.0, ge=0)
    """What the mail relay permits, likewise."""


class Link(Section):
    """One operator's connection to one provider."""

    trust: Mapping[Literal["ussd", "sms", "voice"], Literal["line", "none"]] = Field(default_factory=dict)
    """Per channel what the connection proves: by default USSD and SMS the line, voice nothing."""
    sources: tuple[str, ...] = ()
    """Networks requests may come from, as CIDR; empty allows any."""
    deduplicates: bool = False
    """Does it take a message once per key of ours? Then a send of unknown outcome is simply repeated."""
    settings: Any = Field(repr=False)
    """The provider's own settings."""

    @field_validator("sources")
    @classmethod
    def _networks(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        return networks_told(given)


class OperatorSettings(Section):
    """One operator we serve."""

    billing: str = Field("sql", repr=False)
    """`sql` for the project's own tables, or a backend's URL: `tmf678+https://...`, `killbill+https://...`."""
    bss: Mapping[str, Any] = Field(default_factory=dict, repr=False)
    """What that backend needs besides; the backend checks it. docs/billing.md has it field by field."""
    routes: Routes = Routes()
    rates: Rates = Rates()
    sms_prefixes: tuple[str, ...] = ()
    """How numbers we text must begin, e.g. `+40`; by default with the operator's own country code."""
    sms_parts_a_day: int = Field(default=0, ge=0)
    """Message parts that may leave by SMS in one day (UTC), whatever asks for them; 0 for no cap."""
    links: Mapping[str, Link] = Field(default_factory=dict, repr=False)
    """By provider."""


class Settings(Section):
    """Everything the gateway is told from outside."""

    public_url: str = Field(pattern=r"^https?://[^/\s]+$")
    """How providers and subscribers reach us, without a trailing slash; signatures are checked against it."""
    secret_key: SecretStr = Field(min_length=32)
    """The key of all keyed hashes and sealed bodies; 32 characters or more, the same on every process."""
    database_url: str = Field(
        "sqlite:///var/dialtree.db", pattern=r"^(sqlite|postgres(ql)?(\+\w+)?)://", repr=False
    )
    """`sqlite:///path` or `postgresql://...`, which may hold a password."""
    redis_url: str = Field("", pattern=r"^(rediss?(\+(sentinel|cluster))?://\S+)?$", repr=False)
    """`redis://...` for live sessions shared by several processes; empty keeps them in memory."""
    redis_seconds: float = Field(0.1, ge=0.01, le=2)
    """How long a turn waits for Redis before it is served from this process's memory."""
    host: str = "0.0.0.0"  # noqa: S104 - a gateway listens where its proxy can reach it
    """The address the public listener binds."""
    port: int = Field(8080, ge=0, le=65535)
    """The public listener."""
    internal_port: int | None = Field(None, ge=0, le=65535)
    """The listener of /healthz, /readyz and /metrics; by default 1010 above `port`: 9090 beside 8080."""
    internal_host: str = "127.0.0.1"
    """The address the internal listener binds."""
    red_seconds: float = Field(1.0, ge=0, le=60)
    """How long /readyz says red before the public listener closes, so that a balancer looks elsewhere."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks of our own proxies, as CIDR: only what they say in X-Forwarded-For is believed.

    Behind a proxy that is not listed, all requests seem to come from one source and share its limits.
    """
    refused_per_minute: int = Field(300, ge=1)
    """Refused requests (wrong token, wrong signature) of one source before it is turned away unread."""
    turns_per_minute: int = Field(120, ge=1)
    """Requests one subscriber may make a minute."""
    turns_at_once: int = Field(AT_ONCE, ge=1)
    """Turns each process may have under way before it asks those who begin to dial again later."""
    demo: bool = False
    """The demo world: loopback only, messages recorded in the process."""
    packs: str = ""
    """A folder of packs beside the ones we ship; one of the same name goes before ours."""
    operators: Mapping[str, OperatorSettings] = Field(min_length=1)
    """By the operator's name, e.g. `orange-ro`."""

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        return networks_told(given)


def load(
    providers: Mapping[str, Provider], path: Path, environ: Mapping[str, str], base: dict[str, Any]
) -> Settings:
    """Read the file and the environment over `base`; raises SettingsError naming the field."""
    raw = merged(base, _file(path))
    raw = merged(raw, _environment(environ))
    operators = _table("operators", raw.get("operators", {}))
    raw["operators"] = {name: _operator(name, section, providers) for name, section in operators.items()}
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        raise SettingsError(_told(error, "") + _unread(path)) from error


def config_path(environ: Mapping[str, str] = os.environ) -> Path:
    """The settings file: `DIALTREE_CONFIG`, or `dialtree.toml` here."""
    return Path(environ.get("DIALTREE_CONFIG", "dialtree.toml"))


def packs_folder(environ: Mapping[str, str]) -> str:
    """The folder of packs beside the shipped ones, before anything else of the settings is read."""
    return str(merged(_file(config_path(environ)), _environment(environ)).get("packs", ""))


def merged(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """`high` over `low`, table by table."""
    both = {**low, **high}
    tables = [
        key for key in low.keys() & high.keys() if isinstance(low[key], dict) and isinstance(high[key], dict)
    ]
    return {**both, **{key: merged(low[key], high[key]) for key in tables}}


def _file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML: {error}") from error


def _unread(path: Path) -> str:
    """Where the settings file was looked for, if that is why something is missing."""
    if path.is_file():
        return ""
    return f"\nno {path.name} in {path.absolute().parent}; write one there, or name yours with DIALTREE_CONFIG"


def _environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """`DIALTREE_SECTION__FIELD` as nested tables; operators' names are written with underscores."""
    found: dict[str, Any] = {field: environ[name] for name, field in PLAIN.items() if environ.get(name)}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name != "DIALTREE_CONFIG":
            path = name.removeprefix(PREFIX).lower().split("__")
            if path[0] == "operators" and len(path) > 1:
                path[1] = path[1].replace("_", "-")
            found = merged(found, _nested(path, environ[name]))
    return found


def _nested(path: list[str], value: str) -> dict[str, Any]:
    head, *rest = path
    return {head: _nested(rest, value) if rest else value}


def _table(place: str, told: Any) -> Mapping[str, Any]:
    """What was told, which must be a table; SettingsError otherwise."""
    if not isinstance(told, Mapping):
        raise SettingsError(f"{place}: must be a table")
    return told


def _operator(name: str, told: Any, providers: Mapping[str, Provider]) -> OperatorSettings:
    place = f"operators.{name}"
    section = _table(place, told)
    links = {key: _link(f"{place}.{key}", section[key], providers[key]) for key in section if key in providers}
    rest = {key: value for key, value in section.items() if key not in providers}
    try:
        operator = OperatorSettings.model_validate({**rest, "links": links})
    except ValidationError as error:
        raise SettingsError(_told(error, place)) from error
    if any(provider not in links for provider in operator.routes.sms):
        raise SettingsError(f"{place}.routes.sms: must name providers that have a section of their own here")
    return operator


def _link(place: str, told: Any, provider: Provider) -> Link:
    section = _table(place, told)
    ours = {key: section[key] for key in ("trust", "sources", "deduplicates") if key in section}
    theirs = {key: value for key, value in section.items() if key not in ours}
    try:
        return Link.model_validate({**ours, "settings": provider.Settings.model_validate(theirs)})
    except ValidationError as error:
        raise SettingsError(_told(error, place)) from error


def _told(error: ValidationError, place: str) -> str:
    """Each field and what is wrong with it, never what was written there."""
    lines = []
    for detail in error.errors(include_input=False, include_url=False):
        field = ".".join([*filter(None, [place]), *map(str, detail["loc"])])
        lines.append(f"{field}: {detail['msg']}")
    return "\n".join(lines)
