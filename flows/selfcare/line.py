"""Line choice: the phone's own line or another billed line (T4)."""

from flows.domain.actions import ActionRequest, LineSwitch, Outcome, define_action
from flows.domain.failures import NotFound
from flows.domain.records import Secret
from menus.model.facts import PhoneNumber


async def choose_own_line(request: ActionRequest) -> Outcome:
    """Continue with the phone's own line."""
    return Outcome("ok", {"line": PhoneNumber(request.caller)}, line_switch=LineSwitch(request.caller))


async def choose_proven_line(request: ActionRequest) -> Outcome:
    """Continue with the line proved in this conversation, else with the phone's own."""
    return Outcome("ok") if request.proofs else await choose_own_line(request)


async def choose_other_line(request: ActionRequest) -> Outcome:
    """Continue with the number entered, of the stated kind or that of the numbering plan.

    It does not reveal whether the number exists.
    """
    number = _parse_number(request, request.input_text)
    if not number:
        return Outcome("wrong")
    kind = "" if number == request.caller else _planned_kind(request, number) or request.argument
    return Outcome("ok", {"line": PhoneNumber(number)}, line_switch=LineSwitch(number, kind))


async def choose_line_by_code(request: ActionRequest) -> Outcome:
    """Continue with a line given as number and customer code in one SMS; all errors look alike (T5)."""
    digits, _, code = request.input_text.partition(" ")
    number = _parse_number(request, digits)
    ports, operator = request.ports, request.menu.name
    answer = await ports.passwords.verify_password(
        *(operator, number, Secret(code), "customer_code", request.now, request.requester_for(number))
    )
    kind = await _find_line_kind(request, number) if answer == "ok" else ""
    if not kind:
        return Outcome("wrong")
    return Outcome("ok", {"line": PhoneNumber(number)}, "customer_code", line_switch=LineSwitch(number, kind))


def _planned_kind(request: ActionRequest, number: str) -> str:
    """Return the kind of line the pack's numbering plan gives a number, by its longest beginning."""
    kinds = request.menu.config.rules.number_kinds
    return kinds.get(max((start for start in kinds if number.startswith(start)), key=len, default=""), "")


def _parse_number(request: ActionRequest, typed: str) -> str:
    return request.menu.parse_msisdn(typed) or ""


async def _find_line_kind(request: ActionRequest, number: str) -> str:
    try:
        return (await request.ports.billing.get_subscriber(number)).kind
    except NotFound:
        return ""


ACTIONS = {
    "line.own": define_action(choose_own_line, "ok", is_private=False),
    "line.proven": define_action(choose_proven_line, "ok", is_private=False),
    "line.other": define_action(choose_other_line, "ok wrong", is_private=False),
    "line.with_code": define_action(choose_line_by_code, "ok wrong", is_private=False),
}
