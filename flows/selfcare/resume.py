"""Resumption of a session that was dropped, when its caller dials again and wants to go on."""

from flows.domain.actions import ActionRequest, Outcome, define_action


async def continue_session(request: ActionRequest) -> Outcome:
    """Let the engine continue the earlier session, once the proofs it had are given again."""
    return Outcome("ok", continues_earlier=True)


ACTIONS = {"session.continue": define_action(continue_session, "ok", is_private=False)}
