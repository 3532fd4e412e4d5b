"""One-time codes (OTP): send one to the line, check it, or send one for a correct password."""

from datetime import timedelta

from flows.domain.actions import Ask, Outcome, action
from flows.domain.failures import NotFound
from flows.domain.records import CodeRequest, Secret
from flows.services import code_delivery
from menus.model.facts import Code

FRESH_SIM = timedelta(hours=72)
"""After a SIM swap no codes are sent for this long."""


async def send(ask: Ask) -> Outcome:
    """Send a code to the line's own number; an unknown number gets the same answer but no code (R7, T6)."""
    if not ask.line:
        return Outcome("hidden")
    if ask.subscriber is None and ask.missing is not NotFound:
        raise ask.missing  # the lookup failed: send nothing and count nothing towards the limits
    rules = ask.menu.form.rules
    life = timedelta(minutes=rules.code_minutes)
    return Outcome(await issue(ask, "code", rules.code_digits, life))


async def issue(ask: Ask, text: str, digits: int, life: timedelta) -> str:
    """Store a new code for the purpose the screen names and send it to the line."""
    web = ask.menu.form.rules.code_digits_web if ask.given == "bill" else None
    code = ask.world.digits(web or digits)
    code_request = CodeRequest(
        key=ask.key,
        operator=ask.menu.name,
        number=ask.line,
        purpose=ask.given,
        code=Secret(code),
        at=ask.now,
        expires_at=ask.now + life,
        notice=None if _fresh_sim(ask) else await code_delivery.notice(ask, text, {"code": Code(code)}, life),
    )
    return await ask.world.codes.issue(code_request)


def _fresh_sim(ask: Ask) -> bool:
    """Return whether the SIM was swapped too recently to send a code (SIM-swap fraud)."""
    changed_at = ask.subscriber.sim_changed_at if ask.subscriber else None
    return changed_at is not None and ask.now - changed_at < FRESH_SIM


async def check(ask: Ask) -> Outcome:
    """Check the code entered; a code is valid once, within its lifetime."""
    answer = await ask.world.codes.redeem(ask.menu.name, ask.line, ask.given, Secret(ask.typed), ask.now)
    return Outcome(answer, proof="code" if answer == "ok" else "")


async def by_password(ask: Ask) -> Outcome:
    """Check a password received by SMS and send a code to the same number, nothing else (R8).

    An unknown number, a wrong password and a locked account get the same answer.
    """
    answer = await ask.world.passwords.check(ask.menu.name, ask.line, Secret(ask.typed), "password", ask.now)
    if answer != "ok":
        return Outcome("refused")
    return await send(ask)


ACTIONS = {
    "code.send": action(send, "ok soon many hidden", private=False),
    "code.check": action(check, "ok wrong locked", private=False),
    "code.by_password": action(by_password, "ok refused soon many hidden", private=False),
}
