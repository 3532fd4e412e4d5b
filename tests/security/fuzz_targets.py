"""Targets of the wire fuzz: every public route of a gateway, with sample requests and valid credentials."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from flows.domain.records import Secret
from gateway.demo.payfake import WEBHOOK_SECRET
from gateway.http.guard import WebhookEndpoint
from gateway.http.sample_check import CONTENT_TYPES
from gateway.pages.csrf import FORM_COOKIE, CookieJar, CsrfTokens
from gateway.pages.routes import FORM_FIELDS
from gateway.providers._aggregators.described_provider import DescribedProvider
from gateway.providers.jambonz import NAME as JAMBONZ
from gateway.providers.twilio import NAME as TWILIO
from gateway.server.openapi import build_document
from gateway.wiring.container import Container
from storage.crypto import derive_key
from tests.security.fuzz_requests import FORM, JSON, FuzzTarget
from tests.support.gateway_sandbox import AUTH_TOKEN, HOOK_TOKEN, OPERATOR, PUBLIC_URL
from tests.support.provider_examples import described_providers

COOKIE_SEED = "a-form-cookie-of-the-wire-fuzz"
CODED_SAMPLES: Mapping[str, str] = {
    "ussd": "sessionId=s@n@&serviceCode=*100%23&phoneNumber=@caller@&networkCode=99999&text=1*2",
    "ussd-ended": "sessionId=s@n@&serviceCode=*100%23&phoneNumber=@caller@&status=Success",
    "sms": "linkId=&text=FACT&to=477&id=m@n@&date=2026-03-10+09%3A00%3A00&from=@caller@",
    "sms-report": "id=m@n@&status=Success&phoneNumber=@caller@&networkCode=99999",
    "sms-optout": "senderId=477&phoneNumber=@caller@",
    "voice": "isActive=1&sessionId=v@n@&callerNumber=@caller@&destinationNumber=411&dtmfDigits=1",
    "voice-event": "sessionId=v@n@&callerNumber=@caller@&isActive=0&status=Success",
    "twilio/sms": "MessageSid=SM@n@&AccountSid=AC1&From=@caller@&To=477&Body=FACT&NumMedia=0",
    "twilio/sms-status": "MessageSid=SM@n@&MessageStatus=delivered&To=@caller@&AccountSid=AC1",
    "twilio/voice": "CallSid=CA@n@&AccountSid=AC1&From=@caller@&To=411&CallStatus=ringing&Digits=1",
    "jambonz/voice": '{"call_sid": "j@n@", "from": "@caller@", "call_status": "in-progress", "digits": "1"}',
    "jambonz/voice-status": '{"call_sid": "j@n@", "from": "@caller@", "call_status": "completed"}',
    "twilio/pay": "CallSid=CA@n@&AccountSid=AC1&From=@caller@&Result=success&PaymentConfirmationCode=ch_1",
    "twilio/voice-status": "CallSid=CA@n@&AccountSid=AC1&From=@caller@&CallStatus=completed",
}
"""A complete request of each route of the providers that are code; `@n@` is drawn anew each time."""
BILL_EVENT = '{"eventType": "x", "event": {"customerBill": {"id": "b@n@", "billingAccount": {"id": "a1"}}}}'
BOUNCE = '{"message_id": "<m@n@@gw.example.net>", "action": "failed", "status": "5.1.1"}'
BOUNCE_MAIL = (
    "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nwords\r\n--b\r\n"
    "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; relay.example\r\n\r\n"
    "Final-Recipient: rfc822; a@example.test\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b\r\n"
    "Content-Type: message/rfc822\r\n\r\nMessage-ID: <m@n@@gw.example.net>\r\n\r\nx\r\n--b--\r\n"
)
PURCHASE_EVENT = (
    '{"id": "e@n@", "specversion": "1.0", "type": "org.camaraproject.carrier-billing.v0.payment-completed",'
    ' "data": {"paymentId": "p@n@", "phoneNumber": "+40740000101", "amount": 1.80, "currency": "RON",'
    ' "merchant": "shop", "description": "Bus", "paymentDate": "2026-03-10T08:00:00Z"}}'
)
PAYMENT_EVENT = '{"id": "e@n@", "type": "paid", "session": {"id": "s-1", "payment": "p-1", "live": false}}'


def fuzz_settings() -> dict[str, Any]:
    """Return settings that enable every provider, bill events, bounces and payments of one operator."""
    described = {name: dict(each.example_settings()) for name, each in described_providers().items()}
    more: dict[str, Any] = {"bss": {"hub_token": HOOK_TOKEN}, "routes": {"bounces_token": HOOK_TOKEN}}
    more["purchases"] = {"events": {"secret": WEBHOOK_SECRET}}
    more[JAMBONZ] = {"webhook_secret": WEBHOOK_SECRET}
    return {"operators": {OPERATOR: {**described, **more}}}


def list_targets(container: Container) -> list[FuzzTarget]:
    """Return the targets of a gateway with `fuzz_settings`: at least one for each described operation."""
    hooks = [each for endpoint in container.guard.endpoints.values() for each in _hook_targets(endpoint)]
    drawn = [*hooks, *_event_targets(), *_page_targets(container), *_file_targets()]
    covered = {(each.method, each.route) for each in drawn}
    return [*drawn, *(_plain_target(*each) for each in sorted(describe_operations(container) - covered))]


def _plain_target(method: str, route: str) -> FuzzTarget:
    """Return the target of a described operation without samples of its own: any values in path and body."""
    path = re.sub(r"\{\w+\}", "x@n@", route.replace("{operator}", OPERATOR).replace("{token}", HOOK_TOKEN))
    body = ("lang=fr",) if method == "GET" else ('{"id": "x@n@", "amount": 1, "phoneNumber": "+40740000101"}',)
    return FuzzTarget(route, method, path, "" if method == "GET" else JSON, body)


def describe_operations(container: Container) -> set[tuple[str, str]]:
    """Return method and path of every operation in the OpenAPI document."""
    paths = json.loads(build_document(container.guard.endpoints, container.settings.operators.keys()))["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


def _hook_targets(endpoint: WebhookEndpoint) -> Iterator[FuzzTarget]:
    operator, provider, route = endpoint.name.split("/")
    token = f"/{endpoint.path_tokens[0].decode()}" if endpoint.path_tokens else ""
    values = "".join(f"/{name}@n@" for name in endpoint.route.path_parameters)
    described = f"/hooks/{operator}/{provider}{'/{token}' if token else ''}/{route}"
    described += "".join(f"/{{{name}}}" for name in endpoint.route.path_parameters)
    path = f"/hooks/{operator}/{provider}{token}/{route}{values}"
    kind = CONTENT_TYPES[endpoint.route.body_format]
    bodies, queries = _samples(endpoint.provider, route)
    signature = provider if provider in (TWILIO, JAMBONZ, "vonage") else ""
    headers = _basic_header() if provider == "sinch" else {}
    yield FuzzTarget(described, "POST", path, kind, bodies or ("x",), headers, signature)
    if endpoint.route.accepts_get:
        yield FuzzTarget(described, "GET", path, "", queries or bodies, headers, signature)


def _samples(provider: Any, route: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return sample bodies and sample queries of a webhook."""
    if not isinstance(provider, DescribedProvider):
        return (CODED_SAMPLES.get(f"{provider.NAME}/{route}") or CODED_SAMPLES[route],), ()
    samples = provider.description.routes[route].samples
    bodies = (_with_subscriber(each.body.strip(), each.expect) for each in samples if each.body)
    queries = (_with_subscriber(urlencode(each.query), each.expect) for each in samples if each.query)
    return tuple(bodies), tuple(queries)


def _with_subscriber(sample: str, expected: Mapping[str, str]) -> str:
    """Return a sample as if a subscriber of the demo had sent it, in a session of its own."""
    caller, session = expected.get("caller", "").removeprefix("+"), expected.get("session", "")
    sample = sample.replace(caller, "40740000101") if caller else sample
    return sample.replace(session, "s@n@") if len(session) > 3 else sample


def _basic_header() -> Mapping[str, str]:
    settings = described_providers()["sinch"].example_settings()
    pair = f"{settings['hook_user']}:{settings['hook_secret']}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _event_targets() -> Iterator[FuzzTarget]:
    """Yield what a BSS, a mail relay and a payment provider post."""
    hooks = f"/hooks/{OPERATOR}"
    for event in ("customerBillCreateEvent", "customerBillOnDemandCreateEvent"):
        path = f"{hooks}/tmf678/{HOOK_TOKEN}/listener/{event}"
        yield FuzzTarget("/hooks/{operator}/tmf678/{token}/listener/{event}", "POST", path, JSON, (BILL_EVENT,))
    bounces = ("/hooks/{operator}/email/{token}/bounces", "POST", f"{hooks}/email/{HOOK_TOKEN}/bounces")
    yield FuzzTarget(*bounces, JSON, (BOUNCE,))
    yield FuzzTarget(*bounces, "message/rfc822", (BOUNCE_MAIL,))
    payment = ("/hooks/{operator}/{provider}/payment", "POST", f"{hooks}/payfake/payment", JSON)
    yield FuzzTarget(*payment, (PAYMENT_EVENT,), signature="payfake")
    purchase = ("/hooks/{operator}/purchases/events", "POST", f"{hooks}/purchases/events", JSON)
    yield FuzzTarget(*purchase, (PURCHASE_EVENT,), signature="purchase")


def _page_targets(container: Container) -> Iterator[FuzzTarget]:
    """Yield the pages' forms, with a cookie and the form token that belongs to it."""
    settings = container.settings
    tokens = CsrfTokens(derive_key(Secret(settings.secret_key.get_secret_value()), "pages"))
    cookie = CookieJar(settings.public_url.startswith("https://")).full_name(FORM_COOKIE)
    for name, fields in FORM_FIELDS.items():
        path, route = f"/{OPERATOR}/{name}", f"/{{operator}}/{name}"
        values = dict.fromkeys(fields, "1") | {"form_token": tokens.form_token(COOKIE_SEED, path)}
        number = urlencode(values).replace("number=1", "number=@caller@")
        yield FuzzTarget(route, "POST", path, FORM, (number,), {"Cookie": f"{cookie}={COOKIE_SEED}"})
        yield FuzzTarget(route, "GET", path, "", ("lang=fr", ""))


def _file_targets() -> Iterator[FuzzTarget]:
    yield FuzzTarget("/{operator}", "GET", f"/{OPERATOR}", "", ("lang=fr", ""))
    for name in ("bill.pdf", "style.css", "link.js", "icon.svg"):
        yield FuzzTarget(f"/{{operator}}/{name}", "GET", f"/{OPERATOR}/{name}", "", ("lang=fr", ""))
    yield FuzzTarget("/openapi.json", "GET", "/openapi.json")
    for file in ("welcome.mp3", "..%2fpack.yaml"):
        yield FuzzTarget("/prompts/{operator}/{language}/{file}", "GET", f"/prompts/{OPERATOR}/ro/{file}")


SIGNING: Mapping[str, str] = {
    "twilio": AUTH_TOKEN,
    "payfake": WEBHOOK_SECRET,
    "purchase": WEBHOOK_SECRET,
    "jambonz": WEBHOOK_SECRET,
    "vonage": str(described_providers()["vonage"].example_settings()["hook_secret"]),
    "public_url": PUBLIC_URL,
}
"""What the fuzz signs with."""
