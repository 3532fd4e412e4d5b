"""Requests of the wire fuzz: hooks, pages and anything else, in many shapes, signed and forged."""

import gzip
import random
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

from tests.support.gateway_sandbox import AUTH_TOKEN, HOOK_TOKEN, PUBLIC_URL

FORM = "application/x-www-form-urlencoded"
CONTENT_TYPES = (
    *(FORM, FORM, FORM, FORM, "application/json", "multipart/form-data"),
    *("text/plain", f"{FORM}; charset=utf-7", ""),
)
FIELD_NAMES = [
    "sessionId",
    "phoneNumber",
    "serviceCode",
    "text",
    "networkCode",
    "from",
    "to",
    "id",
    "linkId",
    "status",
    "isActive",
    "callerNumber",
    "dtmfDigits",
    "From",
    "To",
    "Body",
    "MessageSid",
    "AccountSid",
    "CallSid",
    "Digits",
    "number",
    "code",
    "link",
    "form_token",
    "slip",
    "address",
]
COMPLETE = {"sessionId": "s", "phoneNumber": "+40740000101", "id": "m", "from": "+40740000101", "isActive": "1"}
"""Fields with which most webhooks are complete; the rest is drawn."""
VALUES = (
    *("", "1", "1*2*3", "+40740000101", "+407", "abc", "411", "4111 1111 1111 1111", "\x00", "é", "😀", "%"),
    *("a" * 5000, "1 " * 2000, "\u0301" * 900, "\ud7ff", "0" * 4000, "STOP", "ThankYou1", "-1", "2147483648"),
)
HOPS = ("", "1", "abc", "%00", "1%2A2")
PAGES = ["bill", "address", "mailbox", "confirm", "file", "bill.pdf", "paper", "email"]
OTHER_PATHS = ("/openapi.json", "/", "/nope", "/%00", "/..%2f..%2fetc/passwd", "/hooks", "/healthz")
TAILS = [
    "ussd",
    "ussd",
    "ussd-ended",
    "sms",
    "sms",
    "sms-report",
    "sms-optout",
    "voice",
    "voice-event",
    "voice-status",
    "nope",
]
RAW_PIECES = (
    *(b"GET / HTTP/1.1\r\n", b"POST /hooks HTTP/1.1\r\n", b"Host: x\r\n", b"\r\n", b"\x00\xff"),
    *(b"\x16\x03\x01", b"Content-Length: -1\r\n", b"Transfer-Encoding: chunked\r\n", b"zz\r\n", b"A" * 9000),
    *(b"Expect: 100-continue\r\n", b"Content-Length: 5\r\n", b": no name\r\n", b"HEAD / HTTP/1.0\r\n"),
    *(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"Upgrade: websocket\r\n", b"GET * HTTP/1.1\r\n"),
)


@dataclass
class RequestFactory:
    """Draws requests, the same for one seed."""

    dice: random.Random

    def draw(self) -> bytes:
        """Return the bytes of one request, readable or not."""
        if self.dice.random() < 0.1:
            pieces = self.dice.choices(RAW_PIECES, k=self.dice.randrange(1, 6))
            return (b"".join(pieces).lstrip(b"\r\n") or b"GET\r\n") + b"\r\n\r\n"
        method, target = self._draw_target()
        headers = {"Host": "gw.example.net", "Content-Type": self.dice.choice(CONTENT_TYPES)}
        body = self._draw_body(headers) if method != "GET" or self.dice.random() < 0.1 else b""
        if self.dice.random() < 0.3:
            headers["X-Twilio-Signature"] = self._sign(target, body)
        return self._write(method, target, headers, body)

    def _draw_target(self) -> tuple[str, str]:
        dice = self.dice
        token = HOOK_TOKEN if dice.random() < 0.7 else dice.choice(("x", "%2e%2e", "a" * 300, "é"))
        hooks = f"/hooks/orange-ro/africastalking/{token}/{dice.choice(TAILS)}"
        targets = (
            *(hooks, hooks, hooks, f"/hooks/orange-ro/twilio/{dice.choice(TAILS)}?hop={dice.choice(HOPS)}"),
            f"/orange-ro/{dice.choice(PAGES)}",
            f"/hooks/orange-ro/tmf678/{token}/listener/customerBillCreateEvent",
            dice.choice(OTHER_PATHS),
        )
        method = dice.choice(("POST",) * 9 + ("GET", "GET", "PUT", "OPTIONS"))
        return method, dice.choice(targets).encode("ascii", "ignore").decode()

    def _draw_body(self, headers: dict[str, str]) -> bytes:
        dice = self.dice
        shape = dice.random()
        if shape < 0.15:
            return dice.randbytes(dice.randrange(200))
        if shape < 0.2:
            return b"[" * dice.randrange(1, 60_000)
        if shape < 0.22:
            return b"a" * 70_000
        names = dice.choices(FIELD_NAMES, k=dice.randrange(1, 9))
        known = COMPLETE if dice.random() < 0.6 else {}
        body = urlencode(
            {**known, **{name: dice.choice(VALUES) for name in names}}, errors="surrogatepass"
        ).encode()
        if shape < 0.3:
            headers["Content-Encoding"] = dice.choice(("gzip", "deflate", "br", "identity"))
            return gzip.compress((body * dice.randrange(1, 50))[:50_000], 1)
        if shape < 0.5:
            place = dice.randrange(len(body) + 1)
            return body[:place] + dice.randbytes(dice.randrange(4)) + body[place + dice.randrange(9) :]
        return body

    def _sign(self, target: str, body: bytes) -> str:
        fields = dict(pair.partition("=")[::2] for pair in body.decode("latin-1").split("&") if pair)
        return str(RequestValidator(AUTH_TOKEN).compute_signature(PUBLIC_URL + target, fields))

    def _write(self, method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
        """Return the request with its body as it is, or in chunks."""
        is_chunked = bool(body) and self.dice.random() < 0.25
        framing = {"Transfer-Encoding": "chunked"} if is_chunked else {"Content-Length": str(len(body))}
        lines = [
            f"{method} {target} HTTP/1.1",
            *(f"{name}: {value}" for name, value in {**headers, **framing}.items()),
        ]
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        return head + (b"".join(self._chunks(body)) if is_chunked else body)

    def _chunks(self, body: bytes) -> Iterator[bytes]:
        while body:
            size = self.dice.randrange(1, max(2, len(body)))
            yield b"%x\r\n%b\r\n" % (len(body[:size]), body[:size])
            body = body[size:]
        yield b"0\r\n\r\n"
