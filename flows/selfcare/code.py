"""One-time codes (OTP): send one to the line, check it, or send one for a correct password."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.domain.failures import NotFound
from flows.domain.records import CodeRequest, OutboundMessage, Secret
from flows.services import code_delivery
from flows.services.sim_swap import withhold_reason
from menus.model.facts import Facts, OneTimeCode

TEXT_BY_PURPOSE = {"address": "code.address"}
"""Name of the texts of a message whose code is for one thing, which it names; `code` for all others."""
BuildMessage = Callable[[ActionRequest, str, Facts, timedelta], Awaitable[OutboundMessage | None]]
"""Builds the message with a code, from a text's name and facts; None where nothing can be sent."""


async def send_code(request: ActionRequest) -> Outcome:
    """Send a code to the line's own number; an unknown number gets the same answer but no code (R7, T6)."""
    return await _send_short_code(request, code_delivery.build_code_message)


async def mail_code(request: ActionRequest) -> Outcome:
    """Send a code to the line's confirmed e-mail address, for who cannot read an SMS (F1, F7).

    A line without one and an unknown number get the same answer, no code, and lose none that is valid.
    """
    return await _send_short_code(request, code_delivery.build_code_mail)


async def _send_short_code(request: ActionRequest, build_message: BuildMessage) -> Outcome:
    """Send a code with the digits and the lifetime of the pack's rules."""
    if not request.line:
        return Outcome("hidden")
    if request.subscriber is None and request.lookup_failure is not NotFound:
        raise request.lookup_failure  # the lookup failed: send nothing and count nothing towards the limits
    rules = request.menu.config.rules
    life = timedelta(minutes=rules.code_minutes)
    text = TEXT_BY_PURPOSE.get(request.argument, "code")
    return Outcome(await issue_code(request, text, rules.code_digits, life, build_message))


async def issue_code(
    request: ActionRequest,
    text: str,
    digits: int,
    lifetime: timedelta,
    build_message: BuildMessage = code_delivery.build_code_message,
) -> str:
    """Store a new code for the purpose the screen names and send it to the line.

    A fresh SIM gets none, in the same words. Raises Unavailable when billing cannot tell.
    """
    is_withheld = bool(await withhold_reason(request))
    web = request.menu.config.rules.code_digits_web if request.argument == "bill" else None
    code = Secret(request.ports.random_digits(web or digits))
    facts: Facts = {"code": OneTimeCode(code.value)}
    code_request = CodeRequest(
        key=request.key,
        operator=request.menu.name,
        number=request.line,
        purpose=request.argument,
        code=code,
        requested_at=request.now,
        expires_at=request.now + lifetime,
        requester=request.requester,
        message=None if is_withheld else await build_message(request, text, facts, lifetime),
        by_email=build_message is code_delivery.build_code_mail,
    )
    return await request.ports.codes.issue_code(code_request)


async def check_code(request: ActionRequest) -> Outcome:
    """Check the code entered; a code is valid once, within its lifetime."""
    answer = await request.ports.codes.redeem_code(
        *(request.menu.name, request.line, request.argument, Secret(request.input_text)),
        now=request.now,
        source=request.requester,
    )
    return Outcome(answer, proof="code" if answer == "ok" else "")


async def send_code_by_password(request: ActionRequest) -> Outcome:
    """Check a password received by SMS and send a code to the same number, nothing else (R8).

    An unknown number, a wrong password and a locked account get the same answer.
    """
    answer = await request.ports.passwords.verify_password(
        *(request.menu.name, request.line, Secret(request.input_text), "password"),
        now=request.now,
        source=request.requester,
    )
    if answer != "ok":
        return Outcome("refused")
    return await send_code(request)


ACTIONS = {
    "code.send": define_action(send_code, "ok soon many hidden", is_private=False),
    "code.mail": define_action(mail_code, "ok soon many hidden", is_private=False),
    "code.check": define_action(check_code, "ok wrong locked", is_private=False),
    "code.by_password": define_action(send_code_by_password, "ok refused soon many hidden", is_private=False),
}
