"""PIN life cycle: check, set after a first password, change, reset (M5, M7, M8, F1, F7)."""

import re

from flows.domain.actions import Ask, Outcome, action
from flows.domain.records import Secret
from flows.selfcare.account import FIRST

PIN_DIGITS = range(4, 7)
RUNS = ("01234567890", "09876543210", "2580", "0852")
"""A PIN contained in one of these is too common: ascending, descending, the keypad's middle column."""
COMMON = re.compile(
    r"(\d{1,3})\1+"  # 0000, 1212, 123123
    r"|(\d)\2+(\d)\3+((\d)\5+)?"  # 1122, 11222, 112233
    r"|(19|20)\d\d"  # a year
)
"""A PIN that matches this as a whole is too common."""
DRAFT = "draft"
"""Secret kind of a new PIN, stored hashed until it is entered a second time."""


def pin_holds(pin: str, number: str) -> bool:
    """Return whether a PIN is acceptable: 4 to 6 ASCII digits, not common, not the end of the number."""
    if not (pin.isascii() and pin.isdecimal() and len(pin) in PIN_DIGITS):
        return False
    is_common = COMMON.fullmatch(pin) or any(pin in run for run in RUNS)
    return not is_common and not number.endswith(pin)


async def check(ask: Ask) -> Outcome:
    """Check a PIN, or a first password, which only lets the caller choose a PIN; all errors look alike."""
    if len(ask.typed) in PIN_DIGITS:
        return Outcome("ok", proof="pin") if await _is(ask, "pin") else Outcome("wrong")
    world, typed = ask.world, Secret(ask.typed)
    answer = await world.codes.redeem(ask.menu.name, ask.line, FIRST, typed, ask.now)
    return Outcome("first", proof="code") if answer == "ok" else Outcome("wrong")


async def draft(ask: Ask) -> Outcome:
    """Store a new PIN as a draft, hashed; `weak` when it is not acceptable."""
    ask.known()
    if not pin_holds(ask.typed, ask.line):
        return Outcome("weak")
    await _put(ask, DRAFT, ask.typed)
    return Outcome("ok")


async def settle(ask: Ask) -> Outcome:
    """Make the draft PIN valid when it is entered again, and notify the line by SMS."""
    if not await _is(ask, DRAFT):
        return Outcome("wrong")
    await _put(ask, "pin", ask.typed)
    await _put(ask, DRAFT, ask.world.token())
    notices = (ask.sms("password.notice", {}),) if ask.line == ask.caller else ()
    return Outcome(await ask.world.ledger.commit(ask.change(notices=notices)), proof="pin")


async def _is(ask: Ask, kind: str) -> bool:
    answer = await ask.world.passwords.check(ask.menu.name, ask.line, Secret(ask.typed), kind, ask.now)
    return answer == "ok"


async def _put(ask: Ask, kind: str, value: str) -> None:
    await ask.world.passwords.put(ask.menu.name, ask.line, Secret(value), kind, ask.now)


ACTIONS = {
    "password.check": action(check, "ok first wrong", private=False),
    "password.draft": action(draft, "ok weak"),
    "password.set": action(settle, "ok wrong"),
}
