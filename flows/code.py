"""One-time codes: asked for, proven with, or earned with a password."""

from datetime import timedelta

from flows.actions import Ask, Outcome, action
from flows.failures import NotFound
from flows.records import CodeRequest, Notice, Secret
from menus.facts import Code


async def send(ask: Ask) -> Outcome:
    """A code to the caller's own number; a stranger hears the same and nothing is sent (R7)."""
    if not ask.caller:
        return Outcome("hidden")
    if ask.subscriber is None and ask.missing is not NotFound:
        raise ask.missing  # nobody knows yet who this is: promise nothing, count nothing
    return Outcome(await ask.world.codes.issue(_request(ask, known=ask.subscriber is not None)))


async def check(ask: Ask) -> Outcome:
    """The code keyed in; right once, within its life."""
    answer = await ask.world.codes.redeem(ask.menu.name, ask.caller, ask.given, Secret(ask.typed), ask.now)
    return Outcome(answer, proof="code" if answer == "ok" else "")


async def by_password(ask: Ask) -> Outcome:
    """The password alone, texted: it earns a code to the same number and nothing else (R8).

    An unknown number, a wrong password and a locked account answer alike.
    """
    answer = await ask.world.passwords.check(ask.menu.name, ask.caller, Secret(ask.typed), "password", ask.now)
    if answer != "ok":
        return Outcome("refused")
    return await send(ask)


def _request(ask: Ask, *, known: bool) -> CodeRequest:
    rules, code = ask.menu.form.rules, ask.world.digits(ask.menu.form.rules.code_digits)
    life = timedelta(minutes=rules.code_minutes)
    return CodeRequest(
        key=ask.key,
        operator=ask.menu.name,
        number=ask.caller,
        purpose=ask.given,
        code=Secret(code),
        at=ask.now,
        expires_at=ask.now + life,
        notice=_notice(ask, code, life) if known else None,
    )


def _notice(ask: Ask, code: str, life: timedelta) -> Notice:
    return ask.sms("code.notice", {"code": Code(code)}, "code", life)


ACTIONS = {
    "code.send": action(send, "ok soon many hidden", private=False),
    "code.check": action(check, "ok wrong locked", private=False),
    "code.by_password": action(by_password, "ok refused soon many hidden", private=False),
}
