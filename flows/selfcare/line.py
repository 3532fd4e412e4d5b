"""Line choice: the phone's own line or another billed line (T4)."""

from flows.domain.actions import Ask, Outcome, Subject, action
from flows.domain.failures import NotFound
from flows.domain.records import Secret
from menus.model.facts import Number


async def own(ask: Ask) -> Outcome:
    """Continue with the phone's own line."""
    return Outcome("ok", {"line": Number(ask.caller)}, subject=Subject(ask.caller))


async def proven(ask: Ask) -> Outcome:
    """Continue with the line proved in this conversation, else with the phone's own."""
    return Outcome("ok") if ask.proofs else await own(ask)


async def other(ask: Ask) -> Outcome:
    """Continue with the number entered, of the stated kind; does not reveal whether it exists."""
    number = _number(ask, ask.typed)
    if not number:
        return Outcome("wrong")
    kind = "" if number == ask.caller else ask.given
    return Outcome("ok", {"line": Number(number)}, subject=Subject(number, kind))


async def with_code(ask: Ask) -> Outcome:
    """Continue with a line given as number and customer code in one SMS; all errors look alike (T5)."""
    digits, _, code = ask.typed.partition(" ")
    number = _number(ask, digits)
    world, operator = ask.world, ask.menu.name
    answer = await world.passwords.check(operator, number, Secret(code), "customer_code", ask.now)
    kind = await _kind(ask, number) if answer == "ok" else ""
    if not kind:
        return Outcome("wrong")
    return Outcome("ok", {"line": Number(number)}, "customer_code", subject=Subject(number, kind))


def _number(ask: Ask, typed: str) -> str:
    return ask.menu.msisdn(typed) or ""


async def _kind(ask: Ask, number: str) -> str:
    try:
        return (await ask.world.billing.subscriber(number)).kind
    except NotFound:
        return ""


ACTIONS = {
    "line.own": action(own, "ok", private=False),
    "line.proven": action(proven, "ok", private=False),
    "line.other": action(other, "ok wrong", private=False),
    "line.with_code": action(with_code, "ok wrong", private=False),
}
