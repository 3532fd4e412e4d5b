"""How a subscriber hears of a new bill: by SMS, by e-mail, or both (R3, R4)."""

from datetime import timedelta
from typing import Literal, cast

from flows.actions import Ask, Outcome, action
from flows.records import Link, Notice, Preference
from menus.facts import Email, Facts, Text, Word

LINK_LIFE = timedelta(hours=72)
Way = Literal["sms", "email", "both"]


async def choose(ask: Ask) -> Outcome:
    """Keep the choice; e-mail needs an address, and an address needs its owner's click."""
    known = ask.known()
    kept = await ask.world.ledger.preference(known.operator, known.id)
    address, validated = (
        (kept.email, kept.email_validated) if kept.email else (known.email, known.email_validated)
    )
    if ask.given != "sms" and not address:
        return Outcome("address")
    outcome = "ok" if ask.given == "sms" or validated else "pending"
    preference = Preference(notify=cast(Way, ask.given))
    facts: Facts = {"way": Word(f"way.{ask.given}"), "email": Email(address)}
    link, notice = _validation(ask, address) if outcome == "pending" else ((), ())
    change = ask.change(
        outcome=outcome,
        preference=preference,
        consents=(ask.consent("bill-notice", "notify.choose", given=True),),
        links=link,
        notices=notice,
    )
    return Outcome(await ask.world.ledger.commit(change), facts)


async def address(ask: Ask) -> Outcome:
    """A new address: nothing goes to it until the link sent there is opened."""
    link, notice = _validation(ask, ask.typed)
    change = ask.change(
        preference=Preference(notify="email", email=ask.typed),
        consents=(ask.consent("bill-notice", "notify.email", given=True),),
        links=link,
        notices=notice,
    )
    await ask.world.ledger.commit(change)
    return Outcome("ok", {"email": Email(ask.typed)})


def _validation(ask: Ask, address: str) -> tuple[tuple[Link, ...], tuple[Notice, ...]]:
    """A fresh link and the e-mail that carries it to its owner."""
    link = ask.link("email", address, LINK_LIFE)
    url = Text(f"{ask.world.links_url}/confirm#{link.token.value}")
    return (link,), (ask.email("notify.email", address, {"link": url}),)


ACTIONS = {"notify.choose": action(choose, "ok address pending"), "notify.address": action(address, "ok")}
