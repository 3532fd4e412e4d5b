"""Fake Africa's Talking messaging API (`/version1/messaging`), as far as a sender uses it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from tests.support.fakes.vendor_api import FakeVendor


@dataclass
class FakeAfricasTalking(FakeVendor):
    """Accepts every message; numbers in `codes` get that recipient status code."""

    recipient_codes: dict[str, int] = field(default_factory=dict)
    message: str = "Sent"

    def accept_request(self, form: Mapping[str, str]) -> web.Response:
        return self._recipients_response(201, form)

    def refuse_request(self, status: int, form: Mapping[str, str]) -> web.Response:
        """Return a refusal; HTTP 409 carries a normal body, the vendor's way to report do-not-disturb."""
        return (
            self._recipients_response(status, form) if status == 409 else super().refuse_request(status, form)
        )

    def _recipients_response(self, status: int, form: Mapping[str, str]) -> web.Response:
        numbers = [] if self.message != "Sent" else form["to"].split(",")
        recipients = [self._recipient_entry(number) for number in numbers]
        body = {"SMSMessageData": {"Message": self.message, "Recipients": recipients}}
        return web.json_response(body, status=status)

    def _recipient_entry(self, number: str) -> dict[str, object]:
        code = self.recipient_codes.get(number, 101)
        message_id = f"ATXid_{number.removeprefix('+')}" if code < 200 else "None"
        status = "Success" if code < 200 else "Failed"
        return {
            "statusCode": code,
            "number": number,
            "status": status,
            "cost": "KES 0.8000",
            "messageId": message_id,
        }
