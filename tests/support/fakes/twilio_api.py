"""Fake Twilio Messages REST API, as far as a sender uses it."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from tests.support.fakes.vendor_api import FakeVendor


@dataclass
class FakeTwilio(FakeVendor):
    """Accepts every message, or refuses with the Twilio error `code` when the script says an HTTP status."""

    error_code: int = 0
    message_count: int = 0

    def accept_request(self, form: Mapping[str, str]) -> web.Response:
        self.message_count += 1
        sid = f"SM{self.message_count:032x}"
        message = {"sid": sid, "status": "queued", "to": form["To"], "body": form["Body"], "error_code": None}
        return web.json_response(message, status=201)

    def refuse_request(self, status: int, form: Mapping[str, str]) -> web.Response:
        code = self.error_code or 20000 + status
        message = f"The number {form.get('To')} is refused"
        return web.json_response({"code": code, "message": message, "status": status}, status=status)
