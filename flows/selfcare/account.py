"""Account opening: an account is implicit in the line and starts with a first password (M1 to M6)."""

from dataclasses import replace
from datetime import timedelta

from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.selfcare.code import issue_code
from flows.services import code_delivery
from flows.services.eligibility import ineligibility_outcome
from menus.model.facts import Text

FIRST_PASSWORD_LIFETIME = timedelta(hours=72)
FIRST_PASSWORD_DIGITS = 8
FIRST_PASSWORD_PURPOSE = "first"  # noqa: S105 - the name of a purpose
"""Purpose of a first password: a one-time code sent to the line itself, to be replaced by a PIN at once."""


async def pose_challenge(request: ActionRequest) -> Outcome:
    """Ask an unauthenticated caller to repeat three digits, a CAPTCHA (M4)."""
    if request.is_caller_trusted or request.proofs:
        return Outcome("ok")
    return Outcome("challenge", {"challenge": Text(", ".join(request.ports.random_digits(3)))})


async def check_challenge(request: ActionRequest) -> Outcome:
    """Check the repeated digits; `wrong` leads to new ones."""
    expected = request.facts.get("challenge")
    is_right = isinstance(expected, Text) and expected.value.replace(", ", "") == request.input_text
    return Outcome("ok", {"human": Text("yes")}) if is_right else Outcome("wrong")


async def send_first_password(request: ActionRequest) -> Outcome:
    """Send a first password to the line, by the route of its kind (M3, M5).

    The reason why a line is not eligible is shown only to a caller who has proved to hold it.
    """
    if not request.line:
        return Outcome("hidden")
    if not (request.is_caller_trusted or request.proofs or "human" in request.facts):
        return Outcome("challenge")
    refusal = ineligibility_outcome(request) or _kind_mismatch(request)
    if refusal and request.proofs:
        return refusal
    code_request = replace(
        request, subscriber=None if refusal else request.subscriber, argument=FIRST_PASSWORD_PURPOSE
    )
    result = await issue_code(code_request, "account", FIRST_PASSWORD_DIGITS, FIRST_PASSWORD_LIFETIME)
    return Outcome(
        "mailed" if result == "ok" and code_delivery.is_reached_by_email(request, request.argument) else result
    )


def _kind_mismatch(request: ActionRequest) -> Outcome | None:
    kind = request.subscriber.kind if request.subscriber else request.argument
    return None if kind == request.argument else Outcome("mismatch")


ACTIONS = {
    "account.challenge": define_action(pose_challenge, "ok challenge", is_private=False),
    "account.answer": define_action(check_challenge, "ok wrong", is_private=False),
    "account.create": define_action(
        send_first_password, "ok mailed soon many challenge mismatch agency newcomer hidden", is_private=False
    ),
}
