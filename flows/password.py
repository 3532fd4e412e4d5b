"""The life of a PIN: proven with, set after a first password, changed, forgotten (M5, M7, M8, F1, F7)."""

from itertools import pairwise

from flows.account import FIRST
from flows.actions import Ask, Outcome, action
from flows.records import Secret

PIN_DIGITS = range(4, 7)
LEAST_PASSWORD = 8
DRAFT = "draft"
"""The kind a new PIN is kept under, hashed, until it has been typed a second time."""


def pin_holds(pin: str) -> bool:
    """Four to six digits that are neither all the same nor a run up or down."""
    steps = {int(after) - int(before) for before, after in pairwise(pin)}
    return pin.isdigit() and len(pin) in PIN_DIGITS and steps not in ({0}, {1}, {-1})


def password_holds(password: str) -> bool:
    """Eight characters or more, not all the same: what a web form may set."""
    return len(password) >= LEAST_PASSWORD and len(set(password)) > 1


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
    if not pin_holds(ask.typed):
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
