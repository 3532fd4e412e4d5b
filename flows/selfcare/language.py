"""Language choice."""

from flows.domain.actions import Ask, Outcome, action
from flows.domain.records import Preference


async def choose(ask: Ask) -> Outcome:
    """Store the chosen language and continue in it, on every channel from now on."""
    await ask.world.ledger.commit(ask.change(preference=Preference(language=ask.given)))
    return Outcome("ok", language=ask.given)


ACTIONS = {"language.choose": action(choose, "ok", for_all=True)}
