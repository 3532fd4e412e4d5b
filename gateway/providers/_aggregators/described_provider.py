"""A provider made of a description: its settings model, its routes, its sender."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, create_model

from gateway.providers._aggregators.authentication import AuthenticityChecker
from gateway.providers._aggregators.description import ProviderForm, RouteForm, SettingForm
from gateway.providers._aggregators.event_reader import DescribedEventReader
from gateway.providers._aggregators.reply_writer import ShapeWriter
from gateway.providers._aggregators.sms_sender import connect_described_sender
from gateway.providers.contract import AuthenticityCheck, ConnectSender, WebhookRoute

MAX_LIST_FIELDS = 2000
"""Fields of a request that carries a list of messages or reports."""
EARLIER_VALUE = "The value before, accepted while it is being replaced."
API_URL = "Address of the provider's interface; empty for its own."
TOKEN_SETTING = SettingForm(
    kind="secret", about="The secret part of our webhook paths.", example="a-long-random-token"
)


@dataclass(frozen=True, slots=True)
class DescribedProvider:
    """A provider as discovery returns it; the attributes are those of a provider module."""

    NAME: str
    Settings: type[BaseModel] = field(repr=False)
    ROUTES: Mapping[str, WebhookRoute] = field(repr=False)
    authentic: AuthenticityCheck = field(repr=False)
    connect_sender: ConnectSender | None = field(repr=False)
    description: ProviderForm = field(repr=False)

    def example_settings(self) -> Mapping[str, str]:
        """Return the example of each setting that a connection must have."""
        examples = {name: form.example for name, form in known_settings(self.description).items()}
        return {**examples, **({"sender": "477"} if self.description.sender else {})}


def build_provider(name: str, form: ProviderForm, now: Callable[[], datetime]) -> DescribedProvider:
    """Build the provider of a valid description."""
    sender = form.sender
    return DescribedProvider(
        NAME=name,
        Settings=build_settings(name, form),
        ROUTES={route: build_route(name, each) for route, each in form.routes.items()},
        authentic=AuthenticityChecker(form.authentication, now).check,
        connect_sender=connect_described_sender(name, sender) if sender else None,
        description=form,
    )


def build_route(provider: str, form: RouteForm) -> WebhookRoute:
    """Build a webhook route."""
    writer = ShapeWriter(form)
    is_conversation = form.channel == "ussd"
    return WebhookRoute(
        read=DescribedEventReader(provider, form).read,
        write=writer.write,
        write_closing=writer.write_closing if is_conversation else None,
        write_with_echo=writer.write_with_echo if is_conversation else None,
        proves_line=form.proves_line,
        accepts_get=form.method == "GET",
        body_format=form.body,
        path_parameters=form.path,
        max_fields=MAX_LIST_FIELDS if form.each else None,
    )


def known_settings(form: ProviderForm) -> Mapping[str, SettingForm]:
    """Return all settings of a connection: the described ones, and the path token where there is one."""
    if form.authentication.kind == "path":
        return {"hook_token": TOKEN_SETTING, **form.settings}
    return form.settings


def build_settings(name: str, form: ProviderForm) -> type[BaseModel]:
    """Build the settings model: frozen, secrets typed, an `old_` field beside each secret of a webhook."""
    fields: dict[str, Any] = {}
    for setting, each in known_settings(form).items():
        kind: Any = SecretStr if each.kind == "secret" else str
        rule = Field(... if each.required else None, min_length=1, description=each.about)
        fields[setting] = (kind if each.required else kind | None, rule)
    for setting in webhook_secrets(form):
        fields[f"old_{setting}"] = (SecretStr | None, Field(None, min_length=1, description=EARLIER_VALUE))
    if form.sender:
        fields["sender"] = (str, Field(min_length=1, description="Sender of our messages."))
        fields["api_url"] = (str, Field("", pattern=r"^(https?://\S+)?$", description=API_URL))
    config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    model: type[BaseModel] = create_model(f"{name.title()}Settings", __config__=config, **fields)
    return model


def webhook_secrets(form: ProviderForm) -> list[str]:
    """Return the secrets requests are checked with; each may be replaced while the old one still holds."""
    if form.authentication.kind == "path":
        return ["hook_token"]
    if form.authentication.kind == "query":
        return [name for name in form.authentication.fields.values() if name in form.secret_settings]
    return [form.authentication.setting]
