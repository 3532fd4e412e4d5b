"""Cases of the benchmark: what a subscriber sends by each channel, and words every answer must hold."""

import base64
import hmac
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from bench.load import Journey, build_page_request, build_request, ussd_journey
from bench.measure import BILL_NAME, BILL_STEPS, KNOWN_CALLERS, MENU_STEPS, MENUS_NAME, WEBHOOK_PATH
from bench.servers import (
    BARE_WORDS,
    LINK_COUNT,
    OPERATOR,
    PUBLIC_URL,
    SECRET_KEY,
    link_token,
    subscriber_number,
)
from flows.domain.records import Secret
from gateway.demo import startup
from gateway.pages.csrf import CSRF_FIELD, CsrfTokens
from gateway.pages.magic_links import LINK_INPUT
from storage.crypto import derive_key

VOICE_PATH = f"/hooks/{OPERATOR}/africastalking/{startup.HOOK_TOKEN}/voice"
SMS_PATH = f"/hooks/{OPERATOR}/twilio/sms"
PAGE_PATH = f"/{OPERATOR}/address"
FIRST_NEW_CALLER, NEW_CALLERS = 1_200, 9_400
"""New callers dial, and others text, in turn: every second subscriber behind the known callers."""
VOICE_KEYS = (
    ("", "Pentru facturi, apăsați 1."),
    ("1", "Informații despre factură."),
    ("#", "Informații despre factură."),
    ("*", "Pentru facturi, apăsați 1."),
)
"""411, the bill menu, again, back: menus only, as the line proves nothing."""


@dataclass(frozen=True, slots=True)
class BenchCase:
    """One case: its journey, and where the sessions are when it is measured."""

    key: str
    """Its name on the command line."""
    name: str
    request_kind: str
    """Cases of one kind are compared with the same requests to the bare server."""
    journey: Journey
    stores: tuple[str, ...] = ("memory",)
    numbers: Iterator[int] = field(default_factory=itertools.count)
    """Numbers of its journeys: each is walked once."""
    known_callers: int = 0
    """Callers who take turns; all call once, uncounted, before each round, as profiles are cached for 30 s."""


def bare_journey(journey: Journey) -> Journey:
    """Return the journey as the bare server answers it: the same requests, a constant reply."""
    return lambda number: [(data, BARE_WORDS) for data, _ in journey(number)]


def walk_voice(number: int) -> list[tuple[bytes, bytes]]:
    """Return a call: one request a key, then the network's report that it has ended."""
    fields = {
        "isActive": "1",
        "sessionId": f"ATVId_{number}",
        "direction": "Inbound",
        "callerNumber": subscriber_number(KNOWN_CALLERS + number % KNOWN_CALLERS),
        "destinationNumber": "411",
    }
    keys = [
        (build_request(_voice_path(turn), fields | ({"dtmfDigits": key} if key else {})), words.encode())
        for turn, (key, words) in enumerate(VOICE_KEYS)
    ]
    return [*keys, (build_request(VOICE_PATH, fields | {"isActive": "0"}), b"<Response />")]


def _voice_path(turn: int) -> str:
    """Return the action URL the answer before this turn named."""
    return f"{VOICE_PATH}?hop={turn}" if turn else VOICE_PATH


def walk_sms(number: int) -> list[tuple[bytes, bytes]]:
    """Return the latest bill asked for by one text to 477, signed as Twilio signs; the answer replies."""
    fields = {
        "AccountSid": "ACdemo",
        "Body": "FACTURA",
        "From": subscriber_number(FIRST_NEW_CALLER + 1 + 2 * (number % NEW_CALLERS)),
        "MessageSid": f"SM{number:032x}",
        "NumMedia": "0",
        "To": "477",
    }
    return [(build_request(SMS_PATH, fields, {"X-Twilio-Signature": _sign(fields)}), b"79,90 lei")]


def _sign(fields: Mapping[str, str]) -> str:
    """Return Twilio's signature: HMAC-SHA1 of the URL and the fields, sorted by name."""
    text = f"{PUBLIC_URL}{SMS_PATH}" + "".join(f"{name}{fields[name]}" for name in sorted(fields))
    return base64.b64encode(hmac.digest(startup.AUTH_TOKEN.encode(), text.encode(), "sha1")).decode()


def page_journey() -> Journey:
    """Return the visit of a page behind a link: the page itself, and the form its token opens.

    Visitors stand behind a trusted proxy, each with an address of its own, as POSTs are limited by address.
    """
    tokens = CsrfTokens(derive_key(Secret(SECRET_KEY), "pages"))

    def journey(number: int) -> list[tuple[bytes, bytes]]:
        seed = f"benchvisitor{number % LINK_COUNT:08}"
        headers = {"Cookie": f"form={seed}", "X-Forwarded-For": _visitor_address(number)}
        opened = {
            CSRF_FIELD: tokens.form_token(seed, PAGE_PATH),
            LINK_INPUT.name: link_token(number % LINK_COUNT),
        }
        return [
            (build_page_request(PAGE_PATH, headers), b"Codul din link"),
            (build_request(PAGE_PATH, opened, headers), b"<textarea"),
        ]

    return journey


def _visitor_address(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


BOTH_STORES = ("memory", "redis")
CASES: Mapping[str, Callable[[], BenchCase]] = {
    "menus": lambda: BenchCase(
        "menus",
        MENUS_NAME,
        "ussd",
        ussd_journey(WEBHOOK_PATH, MENU_STEPS, KNOWN_CALLERS),
        BOTH_STORES,
        known_callers=KNOWN_CALLERS,
    ),
    "bill": lambda: BenchCase(
        "bill",
        BILL_NAME,
        "ussd",
        ussd_journey(WEBHOOK_PATH, BILL_STEPS, NEW_CALLERS, FIRST_NEW_CALLER, 2),
        BOTH_STORES,
    ),
    "sms": lambda: BenchCase("sms", "a text asks for the bill", "sms", walk_sms),
    "voice": lambda: BenchCase(
        "voice", "a call through the menus", "voice", walk_voice, known_callers=KNOWN_CALLERS
    ),
    "page": lambda: BenchCase("page", "a page behind a link", "page", page_journey()),
}
"""The cases by name, each built anew for a run."""
