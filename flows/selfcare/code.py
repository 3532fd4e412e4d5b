"""One-time codes: asked for, proven with, or earned with a password."""

from datetime import timedelta

from flows.domain.actions import Ask, Outcome, action
from flows.domain.failures import NotFound
from flows.domain.records import CodeRequest, Secret
from flows.services import code_delivery
from menus.model.facts import Code

FRESH_SIM = timedelta(hours=72)


async def send(ask: Ask) -> Outcome:
    """A code to the line's own number; a stranger hears the same and nothing is sent (R7, T6)."""
    if not ask.line:
        return Outcome("hidden")
    if ask.subscriber is None and ask.missing is not NotFound:
        raise ask.missing  # nobody knows yet who this is: promise nothing, count nothing
    rules = ask.menu.form.rules
    life = timedelta(minutes=rules.code_minutes)
    return Outcome(await issue(ask, "code", rules.code_digits, life))


async def issue(ask: Ask, text: str, digits: int, life: timedelta) -> str:
    """Remember a fresh code for the line, for the purpose the screen names, and send it there."""
    web = ask.menu.form.rules.code_digits_web if ask.given == "bill" else None
    code = ask.world.digits(web or digits)
    request = CodeRequest(
        key=ask.key,
        operator=ask.menu.name,
        number=ask.line,
        purpose=ask.given,
        code=Secret(code),
        at=ask.now,
        expires_at=ask.now + life,
        notice=None if _fresh_sim(ask) else await code_delivery.notice(ask, text, {"code": Code(code)}, life),
    )
    return await ask.world.codes.issue(request)


def _fresh_sim(ask: Ask) -> bool:
    """Was the SIM changed so lately that a code might reach a thief? Then none is sent, in the same words."""
    changed = ask.subscriber.sim_changed_at if ask.subscriber else None
    return changed is not None and ask.now - changed < FRESH_SIM


async def check(ask: Ask) -> Outcome:
    """The code keyed in; right once, within its life."""
    answer = await ask.world.codes.redeem(ask.menu.name, ask.line, ask.given, Secret(ask.typed), ask.now)
    return Outcome(answer, proof="code" if answer == "ok" else "")


async def by_password(ask: Ask) -> Outcome:
    """The password alone, texted: it earns a code to the same number and nothing else (R8).

    An unknown number, a wrong password and a locked account answer alike.
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
