"""A gateway that exports to a collector, with a phone behind Africa's Talking and its sending API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.fakes.africastalking_api import FakeAfricasTalking
from tests.support.gateway_sandbox import OPERATOR, GatewaySandbox, SandboxFactory
from tests.support.otlp_collector import OtlpCollector
from tests.support.provider_phones import AfricasTalkingPhone, WebhookSender, connect_webhooks


@dataclass(frozen=True, slots=True)
class TracedGateway:
    """The gateway and what is around it."""

    sandbox: GatewaySandbox
    sender: WebhookSender
    phone: AfricasTalkingPhone
    vendor: FakeAfricasTalking
    collector: OtlpCollector

    async def deliver_all(self) -> None:
        """Deliver what is due until nothing is."""
        while await self.sandbox.container.outbox_worker.run_once():
            pass

    async def send_text(self, caller: str, body: str) -> None:
        """Text the short code, as the provider passes it on."""
        fields = {"from": caller, "to": "477", "text": body, "id": f"at-{body}", "linkId": ""}
        await self.sender.send_webhook(self.phone.webhook_path("sms"), fields)


def telemetry_settings(collector: OtlpCollector, more: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a gateway that exports to this collector; metrics only at its end."""
    return {"telemetry": {"endpoint": collector.url, "metrics_seconds": 3600, **more}}


@asynccontextmanager
async def open_traced(
    sandboxes: SandboxFactory, collector: OtlpCollector, **telemetry: Any
) -> AsyncIterator[TracedGateway]:
    """Open a gateway that exports to the collector; all its spans have arrived once it is closed."""
    async with FakeAfricasTalking() as vendor:
        more = telemetry_settings(collector, telemetry)
        more["operators"] = {OPERATOR: {"africastalking": {"api_url": vendor.url}}}
        async with sandboxes.open(more=more) as sandbox, connect_webhooks(sandbox) as sender:
            phone = AfricasTalkingPhone(sender, sandbox.menu, sandbox.messages)
            yield TracedGateway(sandbox, sender, phone, vendor, collector)
