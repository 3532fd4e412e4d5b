"""Traces as a collector receives them: turns, deliveries, links, sampling, and no personal data."""

import re
from collections.abc import Iterator, Mapping

import pytest

from tests.support.gateway_sandbox import OPERATOR, SandboxFactory
from tests.support.otlp_collector import OtlpCollector, ReceivedSpan, run_collector
from tests.support.traced_gateway import TracedGateway, open_traced

ANA = "+40740000101"
PASSWORD = "ThankYou1"
TRACE, CALLER_SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACE_PARENT = f"00-{TRACE}-{CALLER_SPAN}-01"


@pytest.fixture
def collector() -> Iterator[OtlpCollector]:
    with run_collector() as running:
        yield running


async def request_code_by_ussd(gateway: TracedGateway) -> None:
    await gateway.phone.dial(ANA, "*100#")
    for key in "115":
        await gateway.phone.press(key)


async def request_code_by_text(gateway: TracedGateway) -> None:
    await gateway.send_text(ANA, PASSWORD)


async def request_code_by_call(gateway: TracedGateway) -> None:
    await gateway.phone.call(ANA, "411")
    for key in "14":
        await gateway.phone.press(key)


WAYS = {"ussd": request_code_by_ussd, "sms": request_code_by_text, "voice": request_code_by_call}
TURNS = {"ussd": 4, "sms": 1, "voice": 3}
"""Turns of each way, which are its requests."""


def children(spans: list[ReceivedSpan], parent: ReceivedSpan) -> list[str]:
    """Return the names of the spans below one, at any depth."""
    direct = [span for span in spans if span.parent_id == parent.span_id]
    return [span.name for span in direct] + [name for span in direct for name in children(spans, span)]


@pytest.mark.parametrize("channel", WAYS)
async def test_a_turn_is_one_trace_and_its_delivery_another_that_links_to_it(
    sandboxes: SandboxFactory, collector: OtlpCollector, channel: str
) -> None:
    async with open_traced(sandboxes, collector) as gateway:
        await WAYS[channel](gateway)
        await gateway.deliver_all()
        sent = [request.form for request in gateway.vendor.requests]
    turns, deliveries = collector.named("turn"), collector.named("delivery")
    assert len({turn.trace_id for turn in turns}) == len(turns) == TURNS[channel]
    assert all(turn["channel"] == channel and turn["operator"] == OPERATOR for turn in turns)
    assert sent and len(deliveries) == len(sent)
    last = max(turns, key=lambda turn: len(children(collector.spans, turn)))
    assert {link for each in deliveries for link in each.links} == {(last.trace_id, last.span_id)}
    assert not {each.trace_id for each in deliveries} & {turn.trace_id for turn in turns}
    _assert_nothing_personal(collector, sent)


def _assert_nothing_personal(collector: OtlpCollector, sent: list[Mapping[str, str]]) -> None:
    """No number, text or code in any byte received; texts word by word, as a span might have a part."""
    received = b"\n".join(collector.bodies)
    assert received
    digits = ANA.removeprefix("+")
    hidden = {ANA, digits, digits[2:], digits[-7:], PASSWORD, "at-ThankYou1"}
    for form in sent:
        hidden |= {form["message"], *re.findall(r"\d{4,}", form["message"])}
    assert not [each for each in hidden if each.encode() in received]


async def test_a_turn_has_its_request_its_stores_its_step_and_billing_below_it(
    sandboxes: SandboxFactory, collector: OtlpCollector
) -> None:
    async with open_traced(sandboxes, collector) as gateway:
        await request_code_by_ussd(gateway)
    request = next(span for span in collector.named("webhook") if "step" in children(collector.spans, span))
    below = children(collector.spans, request)
    assert {"turn", "sessions.open", "sessions.save", "step"} <= set(below)
    assert {"billing.recheck_subscriber", "codes.issue_code"} <= set(below)
    assert request.attributes["http.response.status_code"] == 200 and not request.parent_id
    turn = next(span for span in collector.named("turn") if span.trace_id == request.trace_id)
    assert turn["screen"] and turn["outcome"] == "moved" and turn["origin"]
    assert re.fullmatch("[0-9a-f]{24}", str(turn["subscriber"]))


async def test_a_delivery_goes_from_the_claim_over_the_provider_to_the_outcome(
    sandboxes: SandboxFactory, collector: OtlpCollector
) -> None:
    async with open_traced(sandboxes, collector) as gateway:
        await request_code_by_text(gateway)
        gateway.vendor.script.append("503")
        await gateway.deliver_all()
    failed = next(span for span in collector.named("delivery") if span["state"] != "sent")
    (call,) = [span for span in collector.named("provider.send") if span.parent_id == failed.span_id]
    assert (failed["route"], failed["attempt"], failed.events) == ("sms", 1, ("outcome",))
    assert call.attributes["http.response.status_code"] == 503 and call["provider"] == "africastalking"
    assert call.is_error and call.attributes["error.type"] in ("TryLater", "OutcomeUnknown")


async def test_a_link_survives_the_process_that_enqueued_the_message(
    sandboxes: SandboxFactory, collector: OtlpCollector
) -> None:
    async with open_traced(sandboxes, collector) as gateway:
        await request_code_by_text(gateway)
        url = gateway.sandbox.container.settings.database_url
    (turn,) = collector.named("turn")
    more = {"database_url": url, "telemetry": {"endpoint": collector.url}}
    async with sandboxes.open(more=more) as restarted:
        assert await restarted.container.outbox_worker.run_once()
    assert {link for each in collector.named("delivery") for link in each.links} == {
        (turn.trace_id, turn.span_id)
    }


async def test_a_message_of_an_earlier_release_is_delivered_without_a_link(
    sandboxes: SandboxFactory, collector: OtlpCollector
) -> None:
    async with sandboxes.open() as untraced:
        await untraced.direct_line().send_text(ANA, "477", PASSWORD)
        url = untraced.container.settings.database_url
    async with sandboxes.open(more={"database_url": url, "telemetry": {"endpoint": collector.url}}) as traced:
        assert await traced.container.outbox_worker.run_once()
    assert [each.links for each in collector.named("delivery")] == [()] * len(collector.named("delivery"))
    assert collector.named("delivery")[0]["state"] == "sent"


@pytest.mark.parametrize(
    ("peers", "parent"), [(["127.0.0.0/8"], CALLER_SPAN), (["192.0.2.0/24"], ""), ([], "")]
)
async def test_a_traceparent_is_believed_of_trusted_peers_only(
    sandboxes: SandboxFactory, collector: OtlpCollector, peers: list[str], parent: str
) -> None:
    async with open_traced(sandboxes, collector, trusted_peers=peers) as gateway:
        gateway.sender.client.headers["traceparent"] = TRACE_PARENT
        await request_code_by_text(gateway)
    (request,) = collector.named("webhook")
    assert (request.trace_id == TRACE, request.parent_id) == (bool(parent), parent)


async def test_of_no_share_of_turns_nothing_is_exported_nor_of_their_deliveries(
    sandboxes: SandboxFactory, collector: OtlpCollector
) -> None:
    async with open_traced(sandboxes, collector, sample_ratio=0) as gateway:
        await request_code_by_text(gateway)
        await gateway.deliver_all()
        assert gateway.vendor.requests
    assert not collector.traces


async def test_a_trusted_peer_that_samples_has_its_turn_and_the_delivery_traced(
    sandboxes: SandboxFactory, collector: OtlpCollector
) -> None:
    async with open_traced(sandboxes, collector, sample_ratio=0, trusted_peers=["127.0.0.0/8"]) as gateway:
        gateway.sender.client.headers["traceparent"] = TRACE_PARENT
        await request_code_by_text(gateway)
        await gateway.deliver_all()
    assert [turn.trace_id for turn in collector.named("turn")] == [TRACE]
    assert collector.named("delivery")


async def test_a_request_that_names_no_connection_gets_no_span(
    sandboxes: SandboxFactory, collector: OtlpCollector
) -> None:
    async with open_traced(sandboxes, collector) as gateway:
        async with gateway.sender.client.post(f"{gateway.sender.base}/hooks/{ANA}/nobody/x/ussd") as answer:
            assert answer.status == 404
    assert not collector.traces
