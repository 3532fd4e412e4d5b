"""The profile: an e-mail address to be changed, by text (M9)."""

from flows.domain.actions import Ask, Outcome, action
from flows.domain.records import Preference
from flows.services.email_validation import validation
from menus.model.facts import Email, Text


async def email(ask: Ask) -> Outcome:
    """A new address: nothing goes to it until the link sent there is opened."""
    given = ask.facts.get("address")
    address = given.value if isinstance(given, Text) else ""
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
    """How to send the address: a text is easier typed than a keypad's letters."""
    change = ask.change(notices=(ask.sms("profile.invitation", {}, "reply"),))
    return Outcome(await ask.world.ledger.commit(change))


ACTIONS = {"profile.email": action(email, "ok"), "profile.invite": action(invite, "ok")}
