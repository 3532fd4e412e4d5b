"""Knowledge-based authentication: verify a line's customer code, PIN or password."""

from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.domain.records import Secret


async def verify_secret(request: ActionRequest) -> Outcome:
    """Verify a secret; an unknown number, a wrong secret and a locked one get the same answer (T5, F1)."""
    answer = await request.ports.passwords.verify_password(
        request.menu.name,
        request.line,
        Secret(request.input_text),
        request.argument,
        request.now,
        request.requester,
    )
    return Outcome("ok", proof=request.argument) if answer == "ok" else Outcome("wrong")


ACTIONS = {"proof.check": define_action(verify_secret, "ok wrong", is_private=False)}
