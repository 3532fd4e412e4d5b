"""Fake Twilio Messages REST API, as far as a sender uses it."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from tests.fakes.vendor import Vendor


@dataclass
class FakeTwilio(Vendor):
    """Accepts every message, or refuses with the Twilio error `code` when the script says an HTTP status."""

    code: int = 0
    made: int = 0

    def accept_request(self, form: Mapping[str, str]) -> web.Response:
        self.made += 1
        sid = f"SM{self.made:032x}"
        message = {"sid": sid, "status": "queued", "to": form["To"], "body": form["Body"], "error_code": None}
        return web.json_response(message, status=201)

    def refuse_request(self, status: int, form: Mapping[str, str]) -> web.Response:
        code = self.code or 20000 + status
        message = f"The number {form.get('To')} is refused"
        return web.json_response({"code": code, "message": message, "status": status}, status=status)
