"""Spoken one-time code: a code for the web page that the call itself reads out, digit by digit (R6)."""

from datetime import timedelta

from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.domain.records import CodeRequest, Secret
from flows.services.sim_swap import withhold_reason
from menus.model.facts import Text

SPOKEN_CODE = "spoken_code"
"""Fact with the digits: kept in the sealed session until the call ends, so that the screen can be repeated."""


async def speak_code(request: ActionRequest) -> Outcome:
    """Store a new code for the purpose the screen names, to be read out now; `withheld` on a fresh SIM.

    The screen that runs it needs the line's proof: a caller number that can be forged hears no code. Each try
    has a key of its own, as a code that was not heard must not be repeated by a later try with other digits.
    """
    request.require_subscriber()
    if await withhold_reason(request):
        return Outcome("withheld")
    rules, ports = request.menu.config.rules, request.ports
    digits = ports.random_digits(rules.code_digits_web or rules.code_digits)
    code_request = CodeRequest(
        key=f"{request.key}/{ports.random_token()}",
        operator=request.menu.name,
        number=request.line,
        purpose=request.argument,
        code=Secret(digits),
        requested_at=request.now,
        expires_at=request.now + timedelta(minutes=rules.code_minutes),
        message=None,
        requester=request.requester,
    )
    answer = await ports.codes.issue_code(code_request)
    return Outcome(answer, {SPOKEN_CODE: Text(digits)} if answer == "ok" else {})


ACTIONS = {"code.speak": define_action(speak_code, "ok soon many withheld")}
