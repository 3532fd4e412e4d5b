"""Wires: requests as providers send them, what we read in them, what we answer.

A wire is plain text, one exchange after the other:

    == A sentence that says the fact
    POST /hooks/orange-ro/africastalking/demo/ussd
    Content-Type: application/x-www-form-urlencoded

    the raw body, one line

    => Inbound               what was read: its type, then every field that is not its default
    channel=ussd             (`nothing` when there is nothing to do, `BadRequest` and the field when refused)
    <- text=E-facture        a reply of ours, field by field; `\\n` is a new line
    <= text/plain            what is written for it: the content type, then the body
    CON E-facture
"""

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Literal
from urllib.parse import parse_qsl

import pytest

from flows.domain.failures import BadRequest
from gateway.http.decoding import FORM_CONTENT_TYPE
from gateway.http.guard import BODY_DECODERS
from gateway.providers.contract import Connection, RawRequest, SingleEvent, Webhook, WebhookRoute
from gateway.providers.registry import discover_providers
from menus.model.reply import Gather, Prompt, Reply
from tests.support.provider_examples import WIRE_FOLDER, described_providers, example_settings

SETTINGS = example_settings()
ADDRESSES = {"ussd": "*100#", "voice": "411", "sms": "477"}
LOCALES = {"fr": "fr-FR", "ro": "ro-RO"}
IMPLIED_FIELDS = ("provider", "operator")
"""Fields that the request's path already states."""
SPELLINGS = ((None, "(silence)"), (True, "yes"), (False, "no"))
PROMPT_KINDS: tuple[Literal["say", "digits", "play", "invite"], ...] = ("say", "digits", "play", "invite")
PUBLIC_URL = "https://gw.example"


@dataclass(frozen=True)
class RecordedExchange:
    """One recorded exchange, split into its parts."""

    provider: str
    title: str
    target: str
    headers: dict[str, str]
    body: str
    event_name: str
    event_fields: list[str]
    reply_lines: list[str]
    content_type: str
    answer: str


def load_exchanges() -> Iterator[RecordedExchange]:
    for path in sorted(WIRE_FOLDER.glob("*/*.wire")):
        _, *exchanges = f"\n{path.read_text(encoding='utf-8')}".split("\n== ")
        for exchange in exchanges:
            yield parse_exchange(path.parent.name, exchange)


def parse_exchange(provider: str, exchange: str) -> RecordedExchange:
    request, _, rest = exchange.partition("\n=> ")
    head, _, body = request.partition("\n\n")
    title, line, *headers = head.split("\n")
    ours, _, written = rest.partition("\n<= ")
    read, *lines = ours.strip("\n").split("\n")
    content_type, _, answer = written.partition("\n")
    return RecordedExchange(
        provider=provider,
        title=title,
        target=line.partition(" ")[2],
        headers=dict(header.split(": ", 1) for header in headers),
        body=body.strip("\n"),
        event_name=read,
        event_fields=[each for each in lines if not each.startswith("<- ")],
        reply_lines=[each.removeprefix("<- ") for each in lines if each.startswith("<- ")],
        content_type=content_type,
        answer=answer.strip("\n"),
    )


ALL_EXCHANGES = list(load_exchanges())


@cache
def build_connection(provider: str, hooks: str) -> Connection:
    settings = discover_providers()[provider].Settings.model_validate(SETTINGS[provider])
    operator = hooks.split("/")[2]
    hooks_url = PUBLIC_URL + hooks
    return Connection(operator, settings, PUBLIC_URL, hooks_url, {"ussd": "line"}, ADDRESSES, LOCALES)


def open_request(wire: RecordedExchange) -> tuple[WebhookRoute, Webhook, Connection]:
    path, _, query = wire.target.partition("?")
    hooks, name, values = split_path(wire.provider, path)
    route = discover_providers()[wire.provider].ROUTES[name]
    asked = dict(parse_qsl(query, keep_blank_values=True))
    content_type = wire.headers.get("Content-Type", FORM_CONTENT_TYPE).partition(";")[0]
    body = BODY_DECODERS[route.body_format](wire.body.encode(), content_type, None)
    named = dict(zip(route.path_parameters, values, strict=True))
    return route, Webhook(body, asked, named), build_connection(wire.provider, hooks)


def split_path(provider: str, path: str) -> tuple[str, str, list[str]]:
    """Return the path before the route, the route's name and the values of its path parameters."""
    segments = path.split("/")
    names = discover_providers()[provider].ROUTES
    place = max(number for number, segment in enumerate(segments) if number > 3 and segment in names)
    return "/".join(segments[:place]), segments[place], segments[place + 1 :]


def spell_event(event: SingleEvent | BadRequest) -> tuple[str, list[str]]:
    """Return the event as an exchange file spells it."""
    if event is None:
        return "nothing", []
    if isinstance(event, BadRequest):
        return f"BadRequest {str(event).split()[0]}", []
    told = [each for each in fields(event) if each.name not in IMPLIED_FIELDS]
    pairs = [(each.name, getattr(event, each.name), each.default) for each in told]
    lines = [
        f"{name}={spell_value(value)}"
        for name, value, default in pairs
        if value != default or default is MISSING
    ]
    return type(event).__name__, lines


def spell_value(value: object) -> str:
    return next((word for known, word in SPELLINGS if value is known), str(value))


def read_event(wire: RecordedExchange) -> SingleEvent | BadRequest:
    route, webhook, ours = open_request(wire)
    try:
        event = route.read(webhook, ours)
    except BadRequest as refusal:
        return refusal
    assert not isinstance(event, tuple)
    return event


def parse_reply(lines: list[str]) -> Reply | None:
    """Return the reply an exchange describes, or None."""
    if not lines:
        return None
    pairs = [line.replace("\\n", "\n").split("=", 1) for line in lines]
    plain = dict(pairs)
    prompts = tuple(
        Prompt(kind, text, text if kind == "play" else "")
        for name, text in pairs
        for kind in PROMPT_KINDS
        if kind == name
    )
    return Reply(
        channel="voice" if prompts else "sms",
        language=plain.get("language", "fr"),
        node="home",
        turn=int(plain.get("turn", "0")),
        text=plain.get("text", ""),
        prompts=prompts,
        gather=parse_gather(plain),
        transfer_to=plain.get("transfer", ""),
        ends_session="ends" in plain,
    )


def parse_gather(plain: dict[str, str]) -> Gather | None:
    """Parse `keys=1 8 3` or `keys=6 8 3 #`: digits, first and inter-digit seconds, finishing key."""
    if "keys" not in plain:
        return None
    most, first, between, *finish = plain["keys"].split(" ")
    hints = tuple(filter(None, plain.get("hints", "").split("|")))
    speech = "speech" in plain
    return Gather(
        int(most), "".join(finish), int(first), int(between), accepts_speech=speech, speech_hints=hints
    )


@pytest.mark.parametrize(
    "wire", ALL_EXCHANGES, ids=[f"{wire.provider}: {wire.title}" for wire in ALL_EXCHANGES]
)
def test_recorded_exchange_is_read_and_answered(wire: RecordedExchange) -> None:
    route, webhook, ours = open_request(wire)
    raw = RawRequest(wire.target, wire.headers, wire.body.encode())
    assert (route.authentic or discover_providers()[wire.provider].authentic)(raw, webhook.form, ours)
    event = read_event(wire)
    assert spell_event(event) == (wire.event_name, wire.event_fields)
    assert isinstance(event, BadRequest) or all(webhook.form.get(name) for name in route.required_fields)
    if wire.content_type:
        answer = route.write(parse_reply(wire.reply_lines), ours)
        assert answer.body.decode() == wire.answer
        assert answer.content_type.partition(";")[0] == wire.content_type


TIMED_SIGNATURES = {"jambonz"}
"""Providers whose signature holds for minutes only: `test_jambonz_calls.py` signs their requests afresh."""


def test_every_route_has_a_recorded_exchange() -> None:
    paths = [(wire.provider, wire.target.partition("?")[0]) for wire in ALL_EXCHANGES]
    wired = {(provider, split_path(provider, path)[1]) for provider, path in paths}
    assert wired == {
        (name, route)
        for name, provider in discover_providers().items()
        for route in provider.ROUTES
        if name not in described_providers() and name not in TIMED_SIGNATURES
    }
