"""Proofs by something the subscriber knows: a customer code, a PIN or a password of the line."""

from flows.domain.actions import Ask, Outcome, action
from flows.domain.records import Secret


async def check(ask: Ask) -> Outcome:
    """Compare; a number nobody has, a wrong secret and a locked one are answered alike (T5, F1)."""
    answer = await ask.world.passwords.check(ask.menu.name, ask.line, Secret(ask.typed), ask.given, ask.now)
    return Outcome("ok", proof=ask.given) if answer == "ok" else Outcome("wrong")


ACTIONS = {"proof.check": action(check, "ok wrong", private=False)}
