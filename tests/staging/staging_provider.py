"""SMS provider of a drill: a fake Twilio that can be out, and brings receipts late, twice and in any order."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import cycle

from aiohttp import ClientError, ClientSession, web
from twilio.request_validator import RequestValidator
from yarl import URL

from tests.support.fakes.twilio_api import FakeTwilio
from tests.support.faults.gateway_processes import AUTH_TOKEN

OUT_STATUS, OUT_CODE = 503, 30410
"""How it refuses while it is out: Twilio's code 30410 says that the message was not taken."""
RECEIPT_STATUSES = ("delivered", "sent", "delivered")
"""The report of the network comes first, that of the sending behind it, and the first once more."""
REPORT_RETRY_SECONDS = 0.5


@dataclass
class StagingTwilio(FakeTwilio):
    """Twilio's account of a drill."""

    error_code: int = OUT_CODE
    is_out: bool = False
    refused_count: int = 0
    gateway_ports: list[int] = field(default_factory=list)
    """Ports of the serving processes; reports go to each in turn, as through a balancer."""
    reports: asyncio.Queue[tuple[str, Mapping[str, str]]] = field(default_factory=asyncio.Queue)
    """Receipts to send: the callback's address and its fields."""

    def accept_request(self, form: Mapping[str, str]) -> web.Response:
        """Accept a message and report on it later; refuse it while the provider is out."""
        if self.is_out:
            self.refused_count += 1
            return self.refuse_request(OUT_STATUS, form)
        answer = super().accept_request(form)
        sid = f"SM{self.message_count:032x}"
        for status in RECEIPT_STATUSES:
            fields = {"MessageSid": sid, "MessageStatus": status, "To": form["To"]}
            self.reports.put_nowait((form["StatusCallback"], fields))
        return answer

    async def send_reports(self) -> None:
        """Send receipts until cancelled; each is repeated until a serving process takes it."""
        async with ClientSession() as client:
            for port in cycle(self.gateway_ports):
                callback, fields = await self.reports.get()
                while not await post_report(client, port, callback, fields):  # noqa: ASYNC110 - as providers do
                    await asyncio.sleep(REPORT_RETRY_SECONDS)


async def post_report(client: ClientSession, port: int, callback: str, fields: Mapping[str, str]) -> bool:
    """Post a signed status callback to the serving process at a port; return whether it was taken."""
    signature = RequestValidator(AUTH_TOKEN).compute_signature(callback, fields)
    url = URL(callback, encoded=True).with_scheme("http").with_host("127.0.0.1").with_port(port)
    try:
        async with client.post(url, data=fields, headers={"X-Twilio-Signature": signature}) as answer:
            return answer.status < 300
    except (ClientError, OSError):
        return False
