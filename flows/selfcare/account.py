"""Account opening: an account is implicit in the line and starts with a first password (M1 to M6)."""

from dataclasses import replace
from datetime import timedelta

from flows.domain.actions import Ask, Outcome, action
from flows.selfcare.code import issue
from flows.services import code_delivery
from flows.services.eligibility import barred
from menus.model.facts import Text

FIRST_LIFE = timedelta(hours=72)
FIRST_DIGITS = 8
FIRST = "first"
"""Purpose of a first password: a one-time code sent to the line itself, to be replaced by a PIN at once."""


async def challenge(ask: Ask) -> Outcome:
    """Ask an unauthenticated caller to repeat three digits, a CAPTCHA (M4)."""
    if ask.trusted or ask.proofs:
        return Outcome("ok")
    return Outcome("challenge", {"challenge": Text(", ".join(ask.world.digits(3)))})


async def answer(ask: Ask) -> Outcome:
    """Check the repeated digits; `wrong` leads to new ones."""
    expected = ask.facts.get("challenge")
    is_right = isinstance(expected, Text) and expected.value.replace(", ", "") == ask.typed
    return Outcome("ok", {"human": Text("yes")}) if is_right else Outcome("wrong")


async def create(ask: Ask) -> Outcome:
    """Send a first password to the line, by the route of its kind (M3, M5).

    The reason why a line is not eligible is shown only to a caller who has proved to hold it.
    """
    if not ask.line:
        return Outcome("hidden")
    if not (ask.trusted or ask.proofs or "human" in ask.facts):
        return Outcome("challenge")
    refusal = barred(ask) or _mismatch(ask)
    if refusal and ask.proofs:
        return refusal
    code_request = replace(ask, subscriber=None if refusal else ask.subscriber, given=FIRST)
    result = await issue(code_request, "account", FIRST_DIGITS, FIRST_LIFE)
    return Outcome("mailed" if result == "ok" and code_delivery.by_email(ask, ask.given) else result)


def _mismatch(ask: Ask) -> Outcome | None:
    kind = ask.subscriber.kind if ask.subscriber else ask.given
    return None if kind == ask.given else Outcome("mismatch")


ACTIONS = {
    "account.challenge": action(challenge, "ok challenge", private=False),
    "account.answer": action(answer, "ok wrong", private=False),
    "account.create": action(
        create, "ok mailed soon many challenge mismatch agency newcomer hidden", private=False
    ),
}
