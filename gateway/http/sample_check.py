"""Samples of a description: each is read and answered, and compared with what the file says."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

from flows.domain.failures import BadRequest
from flows.domain.records import Receipt
from flows.engine.inbound import Inbound
from gateway.http.guard import BODY_DECODERS
from gateway.providers._aggregators.described_provider import DescribedProvider
from gateway.providers._aggregators.description import RouteForm, SampleForm
from gateway.providers._aggregators.description_loader import load_provider
from gateway.providers.contract import Connection, ConversationEnded, ProviderEvent, SingleEvent, Webhook
from menus.model.reply import Reply
from menus.packfile.yaml_source import Finding, PackError, read_yaml

CONTENT_TYPES = {
    "form": "application/x-www-form-urlencoded",
    "json": "application/json",
    "xml": "text/xml",
}
SAMPLE_ADDRESS = {"ussd": "*100#", "sms": "477", "voice": "411"}


def check_description(path: Path, now: Callable[[], datetime] | None = None) -> list[Finding]:
    """Return the faults of a description: of the file, or else of its samples."""
    try:
        provider = load_provider(path, now) if now else load_provider(path)
    except PackError as error:
        return error.findings
    source = read_yaml(path)
    return [
        source.finding_at(("routes", name, "samples", number), fault)
        for name, route in provider.description.routes.items()
        for number, sample in enumerate(route.samples)
        for fault in sample_faults(provider, name, route, sample)
    ]


def example_connection(provider: DescribedProvider) -> Connection:
    """Return a connection with the settings' examples."""
    settings = provider.Settings.model_validate(provider.example_settings())
    hooks_url = f"https://gw.example/hooks/acme/{provider.NAME}"
    return Connection("acme", settings, "https://gw.example", hooks_url, {}, SAMPLE_ADDRESS)


def sample_webhook(route: RouteForm, sample: SampleForm) -> Webhook:
    """Return a sample as the guard decodes it; BadRequest when it would not."""
    if route.method == "GET":
        return Webhook(sample.query, sample.query, sample.path)
    form = BODY_DECODERS[route.body](sample.body.strip().encode(), CONTENT_TYPES[route.body], None)
    return Webhook(form, sample.query, sample.path)


def sample_faults(
    provider: DescribedProvider, name: str, route: RouteForm, sample: SampleForm
) -> Iterator[str]:
    """Yield what is read or written otherwise than the sample says."""
    connection = example_connection(provider)
    try:
        webhook = sample_webhook(route, sample)
        event = provider.ROUTES[name].read(webhook, connection)
    except BadRequest as error:
        if sample.expect != {"kind": "refused"}:
            yield f"the sample is refused: {error}"
        return
    read = spell_event(event)
    for name_there, expected in sample.expect.items():
        if read.get(name_there, "") != expected:
            yield f"{name_there}: the sample is read as {read.get(name_there, '')!r}, not {expected!r}"
    if sample.answer or sample.headers:
        reply = Reply("ussd", "", "", 1, sample.reply, ends_session=sample.ends)
        answer = provider.ROUTES[name].write_answer(reply, connection, webhook)
        if dict(answer.headers) != sample.headers:
            yield f"headers: {dict(answer.headers)} are written, not {sample.headers}"
        if not same_body(answer.body.decode(), sample.answer.strip("\n")):
            yield f"answer: {answer.body.decode()!r} is written, not {sample.answer!r}"


def same_body(written: str, expected: str) -> bool:
    """Return whether two bodies are equal: as JSON or XML where both are, else as text."""
    for parse in (json.loads, lambda text: ElementTree.canonicalize(text, strip_text=True)):
        try:
            return bool(parse(written) == parse(expected))
        except (ValueError, ElementTree.ParseError):
            continue
    return written == expected


def spell_event(event: ProviderEvent) -> Mapping[str, str]:
    """Return an event's kind and fields as samples spell them; of several events the first, and `count`."""
    if isinstance(event, tuple):
        return {**spell_event(event[0]), "count": str(len(event))}
    return {"kind": event_kind(event), **_event_fields(event)}


def event_kind(event: SingleEvent) -> str:
    """Return the kind of an event: begin, input, message, report, end, or nothing."""
    if isinstance(event, Inbound):
        return "message" if event.channel == "sms" else "begin" if event.begins else "input"
    if isinstance(event, Receipt):
        return "report"
    return "end" if isinstance(event, ConversationEnded) else "nothing"


def _event_fields(event: SingleEvent) -> dict[str, str]:
    if event is None:
        return {}
    names = {"session_id": "session"}
    values = {names.get(each.name, each.name): getattr(event, each.name) for each in fields(event)}
    return {name: value for name, value in values.items() if isinstance(value, str)}
