"""Profile: change the e-mail address by SMS (M9)."""

from flows.domain.actions import Ask, Outcome, action
from flows.domain.records import Preference
from flows.services.email_validation import validation
from menus.model.facts import Email, Text


async def email(ask: Ask) -> Outcome:
    """Store a new e-mail address; it is used only after the link sent to it is opened."""
    fact = ask.facts.get("address")
    address = fact.value if isinstance(fact, Text) else ""
    links, notices = validation(ask, address)
    change = ask.change(
        preference=Preference(notify="email", email=address),
        consents=(ask.consent("bill-notice", "profile.email", given=True),),
        links=links,
        notices=notices,
    )
    await ask.world.ledger.commit(change)
    return Outcome("ok", {"email": Email(address)})


async def invite(ask: Ask) -> Outcome:
    """Send an SMS that explains how to text the address, easier than letters on a keypad."""
    change = ask.change(notices=(ask.sms("profile.invitation", {}, "reply"),))
    return Outcome(await ask.world.ledger.commit(change))


ACTIONS = {"profile.email": action(email, "ok"), "profile.invite": action(invite, "ok")}
