"""PIN life cycle: check, set after a first password, change, reset (M5, M7, M8, F1, F7)."""

import re

from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.domain.records import Secret
from flows.selfcare.account import FIRST_PASSWORD_PURPOSE

PIN_LENGTHS = range(4, 7)
KEYPAD_RUNS = ("01234567890", "09876543210", "2580", "0852")
"""A PIN contained in one of these is too common: ascending, descending, the keypad's middle column."""
COMMON_PIN = re.compile(
    r"(\d{1,3})\1+"  # 0000, 1212, 123123
    r"|(\d)\2+(\d)\3+((\d)\5+)?"  # 1122, 11222, 112233
    r"|(19|20)\d\d"  # a year
)
"""A PIN that matches this as a whole is too common."""
DRAFT_KIND = "draft"
"""Secret kind of a new PIN, stored hashed until it is entered a second time."""


def is_acceptable_pin(pin: str, number: str) -> bool:
    """Return whether a PIN is acceptable: 4 to 6 ASCII digits, not common, not the end of the number."""
    if not (pin.isascii() and pin.isdecimal() and len(pin) in PIN_LENGTHS):
        return False
    is_common = COMMON_PIN.fullmatch(pin) or any(pin in run for run in KEYPAD_RUNS)
    return not is_common and not number.endswith(pin)


async def check_pin(request: ActionRequest) -> Outcome:
    """Check a PIN, or a first password, which only lets the caller choose a PIN; all errors look alike."""
    if len(request.input_text) in PIN_LENGTHS:
        return Outcome("ok", proof="pin") if await _secret_matches(request, "pin") else Outcome("wrong")
    ports, typed = request.ports, Secret(request.input_text)
    answer = await ports.codes.redeem_code(
        *(request.menu.name, request.line, FIRST_PASSWORD_PURPOSE, typed, request.now, request.requester)
    )
    return Outcome("first", proof="code") if answer == "ok" else Outcome("wrong")


async def draft_pin(request: ActionRequest) -> Outcome:
    """Store a new PIN as a draft, hashed; `weak` when it is not acceptable."""
    request.require_subscriber()
    if not is_acceptable_pin(request.input_text, request.line):
        return Outcome("weak")
    await _store_secret(request, DRAFT_KIND, request.input_text)
    return Outcome("ok")


async def confirm_pin(request: ActionRequest) -> Outcome:
    """Make the draft PIN valid when it is entered again, and notify the line by SMS."""
    if not await _secret_matches(request, DRAFT_KIND):
        return Outcome("wrong")
    await _store_secret(request, "pin", request.input_text)
    await _store_secret(request, DRAFT_KIND, request.ports.random_token())
    notices = (request.build_sms("password.notice", {}),) if request.line == request.caller else ()
    return Outcome(await request.ports.ledger.commit(request.build_change(messages=notices)), proof="pin")


async def _secret_matches(request: ActionRequest, kind: str) -> bool:
    answer = await request.ports.passwords.verify_password(
        *(request.menu.name, request.line, Secret(request.input_text), kind, request.now, request.requester)
    )
    return answer == "ok"


async def _store_secret(request: ActionRequest, kind: str, value: str) -> None:
    await request.ports.passwords.set_password(
        request.menu.name, request.line, Secret(value), kind, request.now
    )


ACTIONS = {
    "password.check": define_action(check_pin, "ok first wrong", is_private=False),
    "password.draft": define_action(draft_pin, "ok weak"),
    "password.set": define_action(confirm_pin, "ok wrong"),
}
