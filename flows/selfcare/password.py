"""The life of a PIN: proven with, set after a first password, changed, forgotten (M5, M7, M8, F1, F7)."""

import re

from flows.domain.actions import Ask, Outcome, action
from flows.domain.records import Secret
from flows.selfcare.account import FIRST

PIN_DIGITS = range(4, 7)
RUNS = ("01234567890", "09876543210", "2580", "0852")
"""A PIN that lies in one of these is a common one: runs up and down, the middle of a keypad."""
COMMON = re.compile(
    r"(\d{1,3})\1+"  # 0000, 1212, 123123
    r"|(\d)\2+(\d)\3+((\d)\5+)?"  # 1122, 11222, 112233
    r"|(19|20)\d\d"  # a year
)
"""And one that is, as a whole, made like this."""
DRAFT = "draft"
"""The kind a new PIN is kept under, hashed, until it has been typed a second time."""


def pin_holds(pin: str, number: str) -> bool:
    """Four to six ASCII digits, not a common PIN, and not how the line's own number ends."""
    if not (pin.isascii() and pin.isdecimal() and len(pin) in PIN_DIGITS):
        return False
    common = COMMON.fullmatch(pin) or any(pin in run for run in RUNS)
    return not common and not number.endswith(pin)


async def check(ask: Ask) -> Outcome:
    """The PIN, or the first password, which is only good for choosing a PIN; all else answers alike."""
    if len(ask.typed) in PIN_DIGITS:
        return Outcome("ok", proof="pin") if await _is(ask, "pin") else Outcome("wrong")
    world, typed = ask.world, Secret(ask.typed)
    answer = await world.codes.redeem(ask.menu.name, ask.line, FIRST, typed, ask.now)
    return Outcome("first", proof="code") if answer == "ok" else Outcome("wrong")


async def draft(ask: Ask) -> Outcome:
    """A new PIN, typed once: kept aside, hashed, if it holds."""
    ask.known()
    if not pin_holds(ask.typed, ask.line):
        return Outcome("weak")
    await _put(ask, DRAFT, ask.typed)
    return Outcome("ok")


async def settle(ask: Ask) -> Outcome:
    """The new PIN, typed again: it holds from now on, and the line is told."""
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
