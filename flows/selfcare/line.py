"""Choosing the line: the phone's own, or another one that is billed (T4)."""

from flows.domain.actions import Ask, Outcome, Subject, action
from flows.domain.failures import NotFound
from flows.domain.records import Secret
from menus.model.facts import Number


async def own(ask: Ask) -> Outcome:
    """Go on with the phone's own line."""
    return Outcome("ok", {"line": Number(ask.caller)}, subject=Subject(ask.caller))


async def proven(ask: Ask) -> Outcome:
    """Go on with the line this conversation has proven; one whose proof was never given is let go."""
    return Outcome("ok") if ask.proofs else await own(ask)


async def other(ask: Ask) -> Outcome:
    """Go on with the number given, of the kind it is said to be; whether it exists is not told here."""
    number = _number(ask, ask.typed)
    if not number:
        return Outcome("wrong")
    kind = "" if number == ask.caller else ask.given
    return Outcome("ok", {"line": Number(number)}, subject=Subject(number, kind))


async def with_code(ask: Ask) -> Outcome:
    """A number and its customer code in one text; whatever is wrong is answered alike (T5)."""
    given, _, code = ask.typed.partition(" ")
    number = _number(ask, given)
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
