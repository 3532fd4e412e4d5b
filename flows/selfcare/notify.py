"""Notification preference: announce new bills by SMS, e-mail or both (R3, R4)."""

from typing import Literal, cast

from flows.domain.actions import Ask, Outcome, action
from flows.domain.records import Preference
from flows.services.email_validation import own, validation
from menus.model.facts import Email, Facts, Word

Way = Literal["sms", "email", "both"]


async def choose(ask: Ask) -> Outcome:
    """Store the choice; `address` when e-mail has no address, `pending` until the address is validated."""
    subscriber = ask.known()
    stored = await ask.world.ledger.preference(subscriber.operator, subscriber.id)
    email, validated = own(stored, subscriber)
    if ask.given != "sms" and not email:
        return Outcome("address")
    outcome = "ok" if ask.given == "sms" or validated else "pending"
    facts: Facts = {"way": Word(f"way.{ask.given}"), "email": Email(email)}
    links, notices = validation(ask, email) if outcome == "pending" else ((), ())
    change = ask.change(
        outcome=outcome,
        preference=Preference(notify=cast(Way, ask.given)),
        consents=(ask.consent("bill-notice", "notify.choose", given=True),),
        links=links,
        notices=notices,
    )
    return Outcome(await ask.world.ledger.commit(change), facts)


async def address(ask: Ask) -> Outcome:
    """Store a new e-mail address; it is used only after the link sent to it is opened."""
    links, notices = validation(ask, ask.typed)
    change = ask.change(
        preference=Preference(notify="email", email=ask.typed),
        consents=(ask.consent("bill-notice", "notify.email", given=True),),
        links=links,
        notices=notices,
    )
    await ask.world.ledger.commit(change)
    return Outcome("ok", {"email": Email(ask.typed)})


ACTIONS = {
    "notify.by_sms": action(choose, "ok"),
    "notify.choose": action(choose, "ok address pending"),
    "notify.address": action(address, "ok"),
}
