"""Description of an HTTP provider: the fields of its YAML file, without expressions."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, field_validator

from menus.packfile.schema import PackForm

FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
RouteName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]
Shape = str | dict[str, Any] | list[Any]
"""A body to write: texts with `$name` in them, fields, lists. `{continue: X, end: Y}` chooses one."""
SettingKind = Literal["secret", "text"]
EventKind = Literal["begin", "input", "end", "ignore"]
EVENT_KINDS: tuple[EventKind, ...] = ("begin", "input", "end", "ignore")
REPORT_STATES = ("in_transit", "delivered", "failed", "unknown")
CONDITIONS = (frozenset({"continue", "end"}), frozenset({"gsm7", "ucs2"}))
"""The fields of a value that depends on whether the session goes on, or on the text's alphabet."""


class SourceForm(PackForm):
    """Where one value of a request stands, and what it means."""

    at: tuple[str, ...] = Field(
        min_length=1,
        description="The field's name, dotted for JSON and XML; `path:NAME` or `query:NAME`. Of several, the"
        " first that is filled.",
    )
    absent: str = Field("", description="The value when the field is missing or empty.")
    map: dict[str, str] = Field({}, description="Our word for each of the provider's, whatever its case.")
    other: str | None = Field(None, description="Our word for every value that `map` has not.")

    @field_validator("at", mode="before")
    @classmethod
    def _as_list(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value


Source = str | SourceForm


class ReplyForm(PackForm):
    """How an answer is written: `$text` is the screen, `$title` its first line, `$NAME` a value read."""

    body: Literal["text", "json", "xml"]
    shape: Shape = ""
    empty: Shape | None = Field(
        None, description="The acknowledgement; by default no bytes, or the XML element alone."
    )
    types: dict[str, Literal["boolean", "number"]] = Field(
        {}, description="JSON fields that are no strings, by name."
    )
    headers: dict[str, str | dict[str, str]] = Field({})


class SampleForm(PackForm):
    """A request as the provider sends it, what is read in it, and the answer to it."""

    body: str = ""
    path: dict[FieldName, str] = Field({})
    query: dict[str, str] = Field({})
    expect: dict[str, str] = Field(description="The event's kind, and fields of it.")
    reply: str = Field("", description="The screen to answer with.")
    ends: bool = False
    answer: str = Field("", description="The body that is written for it.")
    headers: dict[str, str] = Field({})


class RouteForm(PackForm):
    """One webhook of a provider."""

    channel: Literal["ussd", "sms", "report"]
    method: Literal["POST", "GET"] = "POST"
    body: Literal["form", "json", "xml"] = "form"
    path: tuple[FieldName, ...] = Field((), description="Names of the path segments behind the route's name.")
    each: str = Field("", description="The JSON list whose elements are messages or reports of their own.")
    read: dict[FieldName, Source]
    input: Literal["last", "all"] = Field(
        "last", description="Whether the text is the last answer, or every answer of the session joined with *."
    )
    reply: ReplyForm
    session_optional: bool = Field(
        default=False, description="Whether requests may come without `session`: the caller then identifies it."
    )
    proves_line: bool = False
    samples: tuple[SampleForm, ...] = Field(min_length=1)


class AuthenticationForm(PackForm):
    """How the provider proves that a request is its own."""

    kind: Literal["path", "basic", "header", "query", "hmac", "jwt"]
    header: str = Field("", description="Header that holds the secret or the signature.")
    fields: dict[str, FieldName] = Field({}, description="Query fields, each with the setting it must equal.")
    setting: FieldName = Field("hook_secret", description="The setting with the secret or the signing key.")
    user_setting: FieldName = "hook_user"
    algorithm: Literal["sha1", "sha256", "sha512", "md5"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    over: Literal["body", "timestamp.body", "sorted-fields"] = "body"
    format: Literal["plain", "t,v1"] = Field(
        "plain", description="`t,v1`: a list `t=TIME,v1=SIGNATURE`, of several signatures during a key change."
    )
    timestamp_header: str = ""
    tolerance_seconds: int = Field(300, ge=1, le=3600)
    signature_field: str = Field("", description="The field that holds the signature, for `sorted-fields`.")
    body_hash_claim: str = Field("", description="The claim of a JWT that holds the body's SHA-256, in hex.")


class SettingForm(PackForm):
    """One setting of a connection to the provider."""

    kind: SettingKind = "text"
    about: str = Field(min_length=1)
    required: bool = True
    example: str = Field(min_length=1)


FailureWord = Literal["rejected", "opted_out", "not_now", "later", "ours", "unknown"]


class SenderForm(PackForm):
    """The provider's HTTP interface for sending one SMS."""

    url: str = Field(
        pattern=r"^https://\S+$", description="With `$NAME` of settings in its path, where needed."
    )
    body: Literal["json", "form"] = "json"
    shape: dict[str, Shape] = Field(
        description="`$to`, `$digits` (without plus), `$text`, `$key`, `$callback`."
    )
    types: dict[str, Literal["boolean", "number"]] = Field({})
    headers: dict[str, str] = Field({}, description="With `$NAME` of settings in them.")
    basic: tuple[FieldName, FieldName] | None = Field(
        None, description="Settings with the user and the password."
    )
    token_url: str = Field("", description="OAuth2 client credentials: where a token is had.")
    token_settings: tuple[FieldName, FieldName] = ("client_id", "client_secret")
    message_id: str = Field("", description="Where the provider's message id stands in an accepted answer.")
    message_id_after: str = Field("", description="The id is what follows the last one of these: / in a URL.")
    code: tuple[str, ...] = Field(
        (), description="Where a code stands in an answer; of several, the first there."
    )
    accepted_codes: tuple[str, ...] = Field((), description="Codes of an accepted message; empty: the status.")
    codes: dict[str, FailureWord] = Field({})
    statuses: dict[str, FailureWord] = Field({})


class ProviderForm(PackForm):
    """`aggregators/NAME.yaml`: one provider."""

    about: str = Field(min_length=1, description="What the provider offers, and where.")
    sources: tuple[str, ...] = Field(min_length=1, description="Where its fields were read, and when.")
    settings: dict[FieldName, SettingForm] = Field({})
    authentication: AuthenticationForm
    routes: dict[RouteName, RouteForm] = Field(min_length=1)
    sender: SenderForm | None = None

    @property
    def secret_settings(self) -> Mapping[str, SettingForm]:
        """Return the settings that are secrets."""
        return {name: form for name, form in self.settings.items() if form.kind == "secret"}
