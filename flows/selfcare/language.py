"""Language choice."""

from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.domain.records import Preference


async def choose_language(request: ActionRequest) -> Outcome:
    """Store the chosen language and continue in it, on every channel from now on."""
    await request.ports.ledger.commit(request.build_change(preference=Preference(language=request.argument)))
    return Outcome("ok", language=request.argument)


ACTIONS = {"language.choose": define_action(choose_language, "ok", ignores_eligibility=True)}
