"""Settings check outside the demo: refuses guessable or shared secrets and a public URL without TLS."""

from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from gateway.console_settings import OpenIdSettings
from gateway.secret_strength import find_sample, find_token_weakness, find_weakness
from gateway.settings import OperatorSettings, Settings
from gateway.settings_sources import SettingsError

PATH_TOKENS = frozenset({"hook_token", "old_hook_token", "hub_token", "bounces_token"})
"""Settings that are the secret part of a webhook's path."""
NamedSecret = tuple[str, str]
"""A setting's full name and its value."""


def require_safe_settings(settings: Settings) -> Settings:
    """Return the settings if they are safe outside the demo, or if they are the demo's.

    Raises SettingsError that names every field with a sample, guessable or shared secret.
    """
    if not settings.demo and (faults := [*_find_faults(settings)]):
        raise SettingsError("\n".join(f"{field}: {fault}" for field, fault in faults))
    return settings


def _find_faults(settings: Settings) -> Iterator[tuple[str, str]]:
    if not is_private_channel(settings.public_url):
        yield "public_url", "must begin with https:// outside the demo; http:// only for this machine alone"
    if settings.console and not is_private_channel(settings.console.public_url):
        yield "console.public_url", "must begin with https:// outside the demo; http:// only for this machine"
    if settings.console and settings.console.openid:
        yield from _find_openid_faults(settings.console.openid)
    if fault := find_weakness(settings.secret_key.get_secret_value()):
        yield "secret_key", fault
    secrets = [each for name, one in settings.operators.items() for each in _operator_secrets(name, one)]
    for name, one in settings.operators.items():
        if one.desk.url and not is_private_channel(one.desk.url):
            yield f"operators.{name}.desk.url", "must begin with https:// outside the demo"
    for field, value in secrets:
        is_token = field.rpartition(".")[2] in PATH_TOKENS
        if fault := (find_token_weakness if is_token else find_weakness)(value):
            yield field, fault
    yield from _find_sample_passwords(settings)
    yield from _find_shared_tokens(secrets)
    for name, one in settings.operators.items():
        if one.payments and one.payments.provider == "payfake":
            yield f"operators.{name}.payments.provider", "payfake takes no money; it is for the demo only"


def _find_openid_faults(openid: OpenIdSettings) -> Iterator[tuple[str, str]]:
    if not is_private_channel(openid.issuer):
        yield "console.openid.issuer", "must begin with https:// outside the demo"
    secret = openid.client_secret.get_secret_value()
    if secret and (fault := find_weakness(secret)):
        yield "console.openid.client_secret", fault


def _find_sample_passwords(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield secrets whose length a protocol limits, where they are a document's sample."""
    for operator, section in settings.operators.items():
        for provider, link in section.links.items():
            for field, value in _secret_fields(link.settings, limited=True):
                if fault := find_sample(value):
                    yield f"operators.{operator}.{provider}.{field}", fault


def is_private_channel(url: str) -> bool:
    """Return whether the URL uses TLS, or names this machine only."""
    parts = urlsplit(url)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _operator_secrets(operator: str, section: OperatorSettings) -> Iterator[NamedSecret]:
    for provider, link in section.links.items():
        for field, value in _secret_fields(link.settings):
            yield f"operators.{operator}.{provider}.{field}", value
    if secret := section.desk.secret.get_secret_value():
        yield f"operators.{operator}.desk.secret", secret
    for table, model in (("payments", section.payments), ("wallet", section.wallet)):
        for field, value in _secret_fields(model) if model else ():
            yield f"operators.{operator}.{table}.{field}", value
    if section.purchases and section.purchases.events:
        for field, value in _secret_fields(section.purchases.events):
            yield f"operators.{operator}.purchases.events.{field}", value
    for name, merchant in section.purchases.merchants.items() if section.purchases else ():
        for field, value in _secret_fields(merchant):
            yield f"operators.{operator}.purchases.merchants.{name}.{field}", value
    if token := section.bss.get("hub_token"):
        yield f"operators.{operator}.bss.hub_token", str(token)
    if token := section.routes.bounces_token.get_secret_value():
        yield f"operators.{operator}.routes.bounces_token", token


def _secret_fields(model: BaseModel, *, limited: bool = False) -> Iterator[NamedSecret]:
    """Yield a model's secrets: those whose length a protocol limits, or the others."""
    for field, form in type(model).model_fields.items():
        value = getattr(model, field)
        has_limit = any(getattr(each, "max_length", None) for each in form.metadata)
        if isinstance(value, SecretStr) and has_limit == limited:
            yield field, value.get_secret_value()


def _find_shared_tokens(secrets: list[NamedSecret]) -> Iterator[tuple[str, str]]:
    """Yield each path token that another connection has, too: its holder could send requests as both."""
    owners: dict[str, str] = {}
    for field, value in secrets:
        place, _, name = field.rpartition(".")
        if name in PATH_TOKENS and owners.setdefault(value, place) != place:
            yield field, f"is the same as that of {owners[value]}; every connection needs its own"
