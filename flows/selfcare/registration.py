"""Registration for e-mail bills: prove the line, choose an address, validate the address (T1 to T10)."""

from collections.abc import Sequence
from datetime import timedelta

from flows.domain.actions import Ask, Outcome, action
from flows.domain.records import CodeRequest, Consent, Preference, Registration, Secret, Subscriber
from flows.services.email_validation import mark, validation
from menus.model.facts import Email, Fact, Facts, Number, Rows, Text, Word

COLUMNS = ("covered", "covered_state")
INVITATION_LIFE = timedelta(hours=72)


async def begin(ask: Ask) -> Outcome:
    """Store the registration of a proved line and list the known e-mail addresses (T7)."""
    subscriber = ask.known()
    preference = await ask.world.ledger.preference(subscriber.operator, subscriber.id)
    is_done = preference.email_validated and await ask.world.billing.media(subscriber.account) == "email"
    addresses = tuple(dict.fromkeys(filter(None, (preference.email, subscriber.email))))
    outcome = "already" if is_done else "pick" if addresses else "none"
    change = ask.change(outcome=outcome, registration=_registration(ask, subscriber))
    rows = Rows(("email",), tuple((Email(address),) for address in addresses))
    facts: Facts = {"emails": rows, "email": Email(addresses[0] if addresses else ""), "line": Number(ask.line)}
    return Outcome(await ask.world.ledger.commit(change), facts)


async def choose(ask: Ask) -> Outcome:
    """Use the address selected or entered on a page: at once when validated, else after validation (T8)."""
    subscriber, address = ask.known(), _fact(ask)
    preference = await ask.world.ledger.preference(subscriber.operator, subscriber.id)
    if not (preference.email_validated and preference.email == address):
        return await _mailed(ask, (_registration(ask, subscriber),), address)
    await ask.world.billing.set_media(subscriber.account, "email")
    return Outcome(await ask.world.ledger.commit(ask.change(consents=(_consent(ask),))))


async def given(ask: Ask) -> Outcome:
    """Use a texted address for all open lines registered from this phone, else for its own line (T9)."""
    subscriber, address = ask.known(), _fact(ask)
    lines = [
        each
        for each, preference in await _covered(ask)
        if not preference.email_validated and preference.email != address
    ]
    return await _mailed(ask, lines or [_registration(ask, subscriber)], address)


async def resend(ask: Ask) -> Outcome:
    """Send the validation e-mail again for each pending line with the first one's address (T8)."""
    ask.known()
    pending = [(each, chosen) for each, chosen in await _covered(ask) if _state(chosen) == "pending"]
    if not pending:
        return Outcome("none")
    address = pending[0][1].email
    return await _mailed(ask, [each for each, chosen in pending if chosen.email == address], address)


async def invite(ask: Ask) -> Outcome:
    """Send an SMS link to a page that takes the e-mail address, hard to enter on a keypad (T7)."""
    if not ask.caller:
        return Outcome("hidden")
    link = ask.link("mailbox", ask.known().account, INVITATION_LIFE)
    url = Text(f"{ask.world.links_url}/mailbox#{link.token.value}")
    notice = ask.sms("registration.invitation", {"link": url}, "reply", INVITATION_LIFE)
    change = ask.change(links=(link,), notices=(notice,))
    return Outcome(await ask.world.ledger.commit(change))


async def status(ask: Ask) -> Outcome:
    """List the lines registered from this phone, each with its state (T8, T9)."""
    ask.known()
    covered = await _covered(ask)
    rows = tuple((Number(each.line), Word(f"registration.{_state(chosen)}")) for each, chosen in covered)
    return Outcome("ok", {"covered_lines": Rows(COLUMNS, rows)}) if rows else Outcome("none")


async def _mailed(ask: Ask, lines: Sequence[Registration], address: str) -> Outcome:
    """Send the address one validation link per line; `soon` when over the limit of e-mails."""
    if await _counted(ask) != "ok":
        return Outcome("soon")
    for each in lines:
        links, notices = validation(ask, address, each.subscription)
        change = ask.change(
            part=f"/{mark(ask.key, each.line)}",
            subscription=each.subscription,
            preference=Preference(notify="email", email=address),
            consents=(_consent(ask),),
            links=links,
            notices=notices,
            registration=each,
        )
        await ask.world.ledger.commit(change)
    return Outcome("pending", {"email": Email(address), "line": Number(lines[0].line)})


async def _counted(ask: Ask) -> str:
    """Count a validation e-mail against the limits of one-time codes, so that no mailbox is flooded."""
    return await ask.world.codes.issue(
        CodeRequest(
            key=f"{ask.key}/count",
            operator=ask.menu.name,
            number=ask.caller,
            purpose="letter",
            code=Secret(ask.world.token()),
            at=ask.now,
            expires_at=ask.now,
            notice=None,
        )
    )


async def _covered(ask: Ask) -> list[tuple[Registration, Preference]]:
    """Return the lines registered from this phone, each with its stored preference."""
    ledger, operator = ask.world.ledger, ask.menu.name
    rows = await ledger.registrations(operator, ask.caller)
    return [(row, await ledger.preference(operator, row.subscription)) for row in rows]


def _state(kept: Preference) -> str:
    """Return a line's state: `open` without an address, `pending` until it is validated, then `done`."""
    if not kept.email:
        return "open"
    return "done" if kept.email_validated else "pending"


def _registration(ask: Ask, person: Subscriber) -> Registration:
    return Registration(ask.caller or ask.line, ask.line, person.id, person.account)


def _consent(ask: Ask) -> Consent:
    return ask.consent("e-bill", "registration.begin", given=True)


def _fact(ask: Ask) -> str:
    address: Fact | Rows | None = ask.facts.get("email") if not ask.given else ask.facts.get("address")
    return address.value if isinstance(address, Email | Text) else ""


ACTIONS = {
    "registration.begin": action(begin, "pick none already"),
    "registration.choose": action(choose, "ok pending soon"),
    "registration.given": action(given, "pending soon"),
    "registration.resend": action(resend, "pending soon none"),
    "registration.invite": action(invite, "ok hidden"),
    "registration.status": action(status, "ok none"),
}
