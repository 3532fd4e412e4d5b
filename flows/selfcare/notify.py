"""How a subscriber hears of a new bill: by SMS, by e-mail, or both (R3, R4)."""

from typing import Literal, cast

from flows.domain.actions import Ask, Outcome, action
from flows.domain.records import Preference
from flows.services.email_validation import own, validation
from menus.model.facts import Email, Facts, Word

Way = Literal["sms", "email", "both"]


async def choose(ask: Ask) -> Outcome:
    """Keep the choice; e-mail needs an address, and an address needs its owner's click."""
    known = ask.known()
    kept = await ask.world.ledger.preference(known.operator, known.id)
    address, validated = own(kept, known)
    if ask.given != "sms" and not address:
        return Outcome("address")
    outcome = "ok" if ask.given == "sms" or validated else "pending"
    preference = Preference(notify=cast(Way, ask.given))
    facts: Facts = {"way": Word(f"way.{ask.given}"), "email": Email(address)}
    link, notice = validation(ask, address) if outcome == "pending" else ((), ())
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
    link, notice = validation(ask, ask.typed)
    change = ask.change(
        preference=Preference(notify="email", email=ask.typed),
        consents=(ask.consent("bill-notice", "notify.email", given=True),),
        links=link,
        notices=notice,
    )
    await ask.world.ledger.commit(change)
    return Outcome("ok", {"email": Email(ask.typed)})


ACTIONS = {
    "notify.by_sms": action(choose, "ok"),
    "notify.choose": action(choose, "ok address pending"),
    "notify.address": action(address, "ok"),
}
