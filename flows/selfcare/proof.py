"""Knowledge-based authentication: verify a line's customer code, PIN or password."""

from flows.domain.actions import Ask, Outcome, action
from flows.domain.records import Secret


async def check(ask: Ask) -> Outcome:
    """Verify a secret; an unknown number, a wrong secret and a locked one get the same answer (T5, F1)."""
    answer = await ask.world.passwords.check(ask.menu.name, ask.line, Secret(ask.typed), ask.given, ask.now)
    return Outcome("ok", proof=ask.given) if answer == "ok" else Outcome("wrong")


ACTIONS = {"proof.check": action(check, "ok wrong", private=False)}
