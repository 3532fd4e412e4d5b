"""Registering for bills by e-mail: proven, addressed, and done once the address is validated (T1 to T10)."""

from collections.abc import Sequence
from datetime import timedelta

from flows.domain.actions import Ask, Outcome, action
from flows.domain.records import CodeRequest, Consent, Preference, Registration, Secret, Subscriber
from flows.services.email_validation import mark, validation
from menus.model.facts import Email, Fact, Facts, Number, Rows, Text, Word

COLUMNS = ("covered", "covered_state")
INVITATION_LIFE = timedelta(hours=72)


async def begin(ask: Ask) -> Outcome:
    """The line is proven: remember who asks for it, and look for addresses we know (T7)."""
    person = ask.known()
    kept = await ask.world.ledger.preference(person.operator, person.id)
    done = kept.email_validated and await ask.world.billing.media(person.account) == "email"
    addresses = tuple(dict.fromkeys(filter(None, (kept.email, person.email))))
    outcome = "already" if done else "pick" if addresses else "none"
    change = ask.change(outcome=outcome, registration=_registration(ask, person))
    rows = Rows(("email",), tuple((Email(address),) for address in addresses))
    facts: Facts = {"emails": rows, "email": Email(addresses[0] if addresses else ""), "line": Number(ask.line)}
    return Outcome(await ask.world.ledger.commit(change), facts)


async def choose(ask: Ask) -> Outcome:
    """The address picked or typed on a page: at once when it is validated, else by the link sent there (T8)."""
    person, address = ask.known(), _fact(ask)
    kept = await ask.world.ledger.preference(person.operator, person.id)
    if not (kept.email_validated and kept.email == address):
        return await _mailed(ask, (_registration(ask, person),), address)
    await ask.world.billing.set_media(person.account, "email")
    return Outcome(await ask.world.ledger.commit(ask.change(consents=(_consent(ask),))))


async def given(ask: Ask) -> Outcome:
    """An address by text: for every line proven from this phone and not done yet, else for its own (T9)."""
    person, address = ask.known(), _fact(ask)
    waiting = [each for each, kept in await _covered(ask) if not kept.email_validated and kept.email != address]
    return await _mailed(ask, waiting or [_registration(ask, person)], address)


async def resend(ask: Ask) -> Outcome:
    """The validation e-mail once more, for each line that still waits for it (T8)."""
    ask.known()
    waiting = [(each, kept) for each, kept in await _covered(ask) if _state(kept) == "pending"]
    if not waiting:
        return Outcome("none")
    address = waiting[0][1].email
    return await _mailed(ask, [each for each, kept in waiting if kept.email == address], address)


async def invite(ask: Ask) -> Outcome:
    """A link to a page that takes the address, or its keyword by text: a keypad's letters are painful (T7)."""
    if not ask.caller:
        return Outcome("hidden")
    bound = ask.link("mailbox", ask.known().account, INVITATION_LIFE)
    url = Text(f"{ask.world.links_url}/mailbox#{bound.token.value}")
    notice = ask.sms("registration.invitation", {"link": url}, "reply", INVITATION_LIFE)
    change = ask.change(links=(bound,), notices=(notice,))
    return Outcome(await ask.world.ledger.commit(change))


async def status(ask: Ask) -> Outcome:
    """The lines registered from this phone, each with how far it is (T8, T9)."""
    ask.known()
    covered = await _covered(ask)
    rows = tuple((Number(each.line), Word(f"registration.{_state(kept)}")) for each, kept in covered)
    return Outcome("ok", {"covered_lines": Rows(COLUMNS, rows)}) if rows else Outcome("none")


async def _mailed(ask: Ask, lines: Sequence[Registration], address: str) -> Outcome:
    """A link for each line to the address, which counts for none of them before it is opened."""
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
    """Letters are counted like codes: nobody's mailbox is flooded from here."""
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
    """The lines registered from this phone, each with the address chosen for it."""
    ledger, operator = ask.world.ledger, ask.menu.name
    rows = await ledger.registrations(operator, ask.caller)
    return [(row, await ledger.preference(operator, row.subscription)) for row in rows]


def _state(kept: Preference) -> str:
    """How far a line is: `open` without an address, `pending` until it is validated, `done`."""
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
