"""Opening an account: implicit, keyed on the line; what it takes is a first password (M1 to M6)."""

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
"""A first password is a code: it goes to the line itself, works once, and must be replaced at once."""


async def challenge(ask: Ask) -> Outcome:
    """Three digits to repeat, where nothing vouches for the caller: it keeps machines out (M4)."""
    if ask.trusted or ask.proofs:
        return Outcome("ok")
    return Outcome("challenge", {"challenge": Text(", ".join(ask.world.digits(3)))})


async def answer(ask: Ask) -> Outcome:
    """The digits repeated; wrong ones bring new ones."""
    asked = ask.facts.get("challenge")
    right = isinstance(asked, Text) and asked.value.replace(", ", "") == ask.typed
    return Outcome("ok", {"human": Text("yes")}) if right else Outcome("wrong")


async def create(ask: Ask) -> Outcome:
    """A first password to the line, by the way its kind is reached (M3, M5).

    Why the rules leave a line out is told only to who holds it.
    """
    if not ask.line:
        return Outcome("hidden")
    if not (ask.trusted or ask.proofs or "human" in ask.facts):
        return Outcome("challenge")
    refusal = barred(ask) or _mismatch(ask)
    if refusal and ask.proofs:
        return refusal
    asking = replace(ask, subscriber=None if refusal else ask.subscriber, given=FIRST)
    sent = await issue(asking, "account", FIRST_DIGITS, FIRST_LIFE)
    return Outcome("mailed" if sent == "ok" and code_delivery.by_email(ask, ask.given) else sent)


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
