"""Bodies of Netopia's interface in the documented form, a key pair, and a server on loopback that answers.

The answers of `payment/card/start` and the status numbers are those of Netopia's documents; the page's address,
the order's id in a notification and `operation/credit` are as published clients know them. None was recorded.
"""

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha512
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.http.listening import serve_app

API_KEY, POS = "netopia-key-of-the-tests", "AAAA-BBBB-CCCC-DDDD-EEEE"
NTP_ID, PAGE = "1310396", "https://secure.netopia-payments.com/ui/card?p=1310396"


@cache
def private_key(number: int = 1) -> RSAPrivateKey:
    """Return the provider's key, or with another number somebody else's; made once."""
    assert number
    return generate_private_key(65537, 2048)


def public_pem(number: int = 1) -> str:
    return (
        private_key(number).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    )


def payment_answer(status: int, **more: Any) -> dict[str, Any]:
    payment = {"amount": 79.9, "currency": "RON", "ntpID": NTP_ID, "status": status}
    return {"error": {"code": "00", "message": "Approved"}, "payment": payment | more}


STARTED = payment_answer(1, paymentURL=PAGE) | {"error": {"code": "101", "message": "Redirect"}}


def notice_body(order: str, status: int = 3) -> bytes:
    answer = {"order": {"orderID": order}, **payment_answer(status)}
    return json.dumps(answer).encode()


def sign_token(
    body: bytes, claims: Mapping[str, Any], number: int = 1, header: Mapping[str, str] | None = None
) -> str:
    """Return the token of a notification; `claims` replace the usual ones."""
    usual = {"iss": "NETOPIA Payments", "aud": [POS], "sub": b64encode(sha512(body).digest()).decode()}
    head, told = header or {"typ": "JWT", "alg": "RS512"}, {**usual, **claims}
    parts = [_encode(json.dumps(each).encode()) for each in (head, told)]
    signature = private_key(number).sign(".".join(parts).encode(), PKCS1v15(), SHA512())
    return ".".join((*parts, _encode(signature)))


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class NetopiaServer:
    """Answers each path with what it is given, and keeps what was sent."""

    answers: dict[str, Any]
    url: str = ""
    calls: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"]
        self.calls.append((path, request.headers["Authorization"], await request.json()))
        if path not in self.answers:
            return web.json_response({"code": "404"}, status=404)
        return web.json_response(self.answers[path])


@asynccontextmanager
async def serve_netopia(**answers: Any) -> AsyncIterator[NetopiaServer]:
    """Serve answers by the last part of their path."""
    paths = {"start": "payment/card/start", "status": "operation/status", "credit": "operation/credit"}
    server, app = NetopiaServer({paths[name]: body for name, body in answers.items()}), web.Application()
    app.router.add_post("/{path:.+}", server.answer)
    async with serve_app(app, "127.0.0.1", 0) as port:
        server.url = f"http://127.0.0.1:{port}"
        yield server
