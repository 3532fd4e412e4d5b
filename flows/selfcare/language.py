"""Choosing a language."""

from flows.domain.actions import Ask, Outcome, action
from flows.domain.records import Preference


async def choose(ask: Ask) -> Outcome:
    """Answer in the chosen language from now on, on every channel."""
    await ask.world.ledger.commit(ask.change(preference=Preference(language=ask.given)))
    return Outcome("ok", language=ask.given)


ACTIONS = {"language.choose": action(choose, "ok", for_all=True)}
