"""Requests of the wire fuzz: every route and anything else, in many shapes, signed and forged."""

import base64
import gzip
import hmac
import json
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote_plus

from gateway.payments.signed_body import sign_body
from gateway.providers._aggregators.authentication import sorted_fields

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
CALLERS = ("%2B40740000101", "%2B40740000102", "%2B40740000104", "%2B40799999999")
"""Subscribers of the demo and one unknown number, as a form spells them."""
CONTENT_TYPES = ("application/json", "multipart/form-data", "text/plain", f"{FORM}; charset=utf-7", "", FORM)
FIELD_NAMES = (
    *("sessionId", "phoneNumber", "text", "from", "to", "id", "status", "dtmfDigits", "From", "To", "Body"),
    *("Digits", "number", "code", "link", "slip", "address"),
)
SHORT_VALUES = (
    *("", "1", "2", "1*2*3", "+40740000101", "+407", "abc", "411", "4111 1111 1111 1111", "\x00", "é", "😀"),
    *("%", "\ud7ff", "STOP", "ThankYou1", "FACT", "COD", "NOTIF EMAIL x@y.test", "-1", "2147483648", "٣"),
)
LONG_VALUES = ("a" * 5000, "1 " * 2000, "\u0301" * 900, "0" * 4000, "ب" * 1500, "." * 2000 + "@", "-" * 3000)
JSON_VALUES = (
    *("null", "true", "-1", "1e400", "[]", "{}", '[[["x"]]]', '"\\ud800"', '"\\u0000"', '{"a": {"b": [1]}}'),
    *("9" * 400, "[" * 900 + "]" * 900, "{", ""),
)
XML_VALUES = ("<a/>", "&x;", "&#0;", "<![CDATA[1]]>", "<a>" * 400, "&#x10FFFF;", "<", "&lt;")
XML_HEADS = (
    '<!DOCTYPE a [<!ENTITY x "xxxx"><!ENTITY y "&x;&x;&x;&x;">]>',
    '<?xml version="1.0" encoding="utf-7"?>',
)
FORM_SLOT, JSON_SLOT, XML_SLOT = (
    re.compile(r"(?<==)([^&]*)"),
    re.compile(r'("(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null)'),
    re.compile(r"(?<=>)([^<>]*)(?=<)"),
)
OTHER_TARGETS = ("/", "/nope", "/%00", "/..%2f..%2fetc/passwd", "/hooks", "/healthz", "/hooks/é/x/y", "//", "*")
RAW_PIECES = (
    *(b"GET / HTTP/1.1\r\n", b"POST /hooks HTTP/1.1\r\n", b"Host: x\r\n", b"\r\n", b"\x00\xff"),
    *(b"\x16\x03\x01", b"Content-Length: -1\r\n", b"Transfer-Encoding: chunked\r\n", b"zz\r\n", b"A" * 9000),
    *(b"Expect: 100-continue\r\n", b"Content-Length: 5\r\n", b": no name\r\n", b"HEAD / HTTP/1.0\r\n"),
    *(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"Upgrade: websocket\r\n", b"GET * HTTP/1.1\r\n"),
)


@dataclass(frozen=True, slots=True)
class FuzzTarget:
    """One route: how a good request looks, and how it is signed."""

    route: str
    """Path of the OpenAPI document this target belongs to."""
    method: str
    path: str
    content_type: str = ""
    samples: tuple[str, ...] = ("",)
    """Bodies, or queries of a GET; `@n@` and `@caller@` are placeholders."""
    headers: Mapping[str, str] = field(default_factory=dict)
    signature: str = ""
    """`twilio`, `payfake`, `purchase`, `jambonz` or `vonage`; empty where a request is not signed."""


@dataclass(frozen=True, slots=True)
class FuzzRequest:
    """The bytes of one request, and the route it was drawn for."""

    data: bytes
    route: str = ""
    is_framed: bool = False
    """Whether its length is right, so that another request may follow on the connection."""


@dataclass(frozen=True, slots=True)
class Mutator:
    """Replaces values of one format: every value stands between two pieces of a split text."""

    slot: re.Pattern[str]
    values: Sequence[str]
    long_values: Sequence[str]

    def mutate(self, sample: str, dice: random.Random) -> str:
        """Return the sample with none, one or two of its values replaced."""
        pieces = self.slot.split(sample)
        for _ in range(dice.choice((0, 1, 1, 2)) if len(pieces) > 1 else 0):
            values = self.values if dice.random() < 0.97 else self.long_values
            pieces[dice.randrange(len(pieces) // 2) * 2 + 1] = dice.choice(values)
        return "".join(pieces)


def _quoted(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(quote_plus(each, errors="surrogatepass") for each in values)


def _as_json(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(json.dumps(each) for each in values)


FORM_MUTATOR = Mutator(FORM_SLOT, (*_quoted(SHORT_VALUES), "%", "%zz", "&a=1", "&=&"), _quoted(LONG_VALUES))
JSON_MUTATOR = Mutator(JSON_SLOT, (*_as_json(SHORT_VALUES), *JSON_VALUES), _as_json(LONG_VALUES))
XML_MUTATOR = Mutator(XML_SLOT, (*SHORT_VALUES, *XML_VALUES), LONG_VALUES)


@dataclass(slots=True)
class RequestFactory:
    """Draws requests, the same for one seed and the same targets."""

    targets: Sequence[FuzzTarget]
    dice: random.Random
    now: Callable[[], int]
    """Returns the gateway's time in Unix seconds, for signatures."""
    keys: Mapping[str, str] = field(repr=False)
    """What each kind of signature is made with, and `public_url`."""
    mutators: Mapping[str, Mutator] = field(
        default_factory=lambda: {FORM: FORM_MUTATOR, JSON: JSON_MUTATOR, "text/xml": XML_MUTATOR}
    )

    def draw(self) -> FuzzRequest:
        """Return one request, readable or not."""
        dice = self.dice
        chance = dice.random()
        if chance < 0.05:
            pieces = dice.choices(RAW_PIECES, k=dice.randrange(1, 6))
            return FuzzRequest((b"".join(pieces).lstrip(b"\r\n") or b"GET\r\n") + b"\r\n\r\n")
        if chance < 0.08:
            target = FuzzTarget("", "POST", dice.choice(OTHER_TARGETS).encode("ascii", "ignore").decode(), FORM)
        else:
            target = dice.choice(self.targets)
        return self._draw_for(target)

    def _draw_for(self, target: FuzzTarget) -> FuzzRequest:
        dice = self.dice
        sample = dice.choice(target.samples)
        sample = sample.replace("@n@", str(dice.randrange(10**6))).replace("@caller@", dice.choice(CALLERS))
        sample = self.mutators.get(target.content_type, FORM_MUTATOR).mutate(sample, dice)
        path = target.path.replace("@n@", str(dice.randrange(10**6)))
        if dice.random() < 0.05:
            path = path.replace("hook-token", dice.choice(("x", "%2e%2e", "a" * 300, "%00")))
        if target.method == "GET":
            path, body = f"{path}?{sample}" if sample else path, b""
        else:
            body = self._spoil(sample.encode("utf-8", "surrogatepass"))
        method = target.method if dice.random() < 0.97 else dice.choice(("PUT", "OPTIONS", "GET", "HEAD"))
        headers = {"Host": "gw.example.net", **target.headers}
        if method != "GET" or body:
            kind = target.content_type if dice.random() < 0.95 else dice.choice(CONTENT_TYPES)
            headers["Content-Type"] = kind
        if target.signature and dice.random() < 0.9:
            path, body = self._sign(target.signature, path, body, headers)
        body = self._compress(body, headers)
        return FuzzRequest(self._write(method, path, headers, body), target.route, is_framed=method != "HEAD")

    def _spoil(self, body: bytes) -> bytes:
        """Return a body as it is, cut, with random bytes, or another one."""
        dice = self.dice
        chance = dice.random()
        if chance < 0.80:
            return body
        if chance < 0.83:
            return dice.randbytes(dice.randrange(200))
        if chance < 0.84:
            return dice.choice((b"[", b'{"a":', b"<a>")) * dice.randrange(1, 12_000)
        if chance < 0.845:
            return b"a" * 70_000
        if chance < 0.86:
            return dice.choice(XML_HEADS).encode() + body
        if chance < 0.92:
            return body + f"&{dice.choice(FIELD_NAMES)}={dice.choice(FORM_MUTATOR.values)}".encode()
        place = dice.randrange(len(body) + 1)
        return body[:place] + dice.randbytes(dice.randrange(4)) + body[place + dice.randrange(9) :]

    def _compress(self, body: bytes, headers: dict[str, str]) -> bytes:
        if not body or self.dice.random() > 0.02:
            return body
        headers["Content-Encoding"] = self.dice.choice(("gzip", "deflate", "br", "identity"))
        return gzip.compress((body * self.dice.randrange(1, 50))[:50_000], 1)

    def _sign(self, kind: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[str, bytes]:
        """Return path and body of a signed request; a signature may stand in the headers."""
        if kind == "payfake":
            headers["Payfake-Signature"] = sign_body(self.keys[kind].encode(), body, self.now())
            return path, body
        if kind == "purchase":
            headers["Purchase-Signature"] = sign_body(self.keys[kind].encode(), body, self.now())
            return path, body
        if kind == "jambonz":
            headers["Jambonz-Signature"] = sign_body(self.keys[kind].encode(), body, int(time.time()))
            return path, body
        fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        if kind == "twilio":
            signed = (
                self.keys["public_url"] + path + "".join(f"{name}{fields[name]}" for name in sorted(fields))
            )
            digest = hmac.digest(self.keys[kind].encode(), signed.encode("utf-8", "surrogatepass"), "sha1")
            headers["X-Twilio-Signature"] = base64.b64encode(digest).decode()
            return path, body
        signed = sorted_fields(fields, "sig")
        digest = hmac.digest(self.keys[kind].encode(), signed.encode("utf-8", "surrogatepass"), "sha256")
        return path, body + b"&sig=" + digest.hex().encode()

    def _write(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
        """Return the request with its body as it is, or in chunks."""
        is_chunked = bool(body) and self.dice.random() < 0.2
        framing = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {len(body)}"
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), framing]
        head = "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n\r\n"
        return head + (b"".join(self._chunks(body)) if is_chunked else body)

    def _chunks(self, body: bytes) -> Iterator[bytes]:
        while body:
            size = self.dice.randrange(1, max(2, len(body)))
            yield b"%x\r\n%b\r\n" % (len(body[:size]), body[:size])
            body = body[size:]
        yield b"0\r\n\r\n"
