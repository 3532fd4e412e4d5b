"""Registration for e-mail bills: prove the line, choose an address, validate the address (T1 to T10)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.domain.bill_delivery import BillDestination
from flows.domain.email_registration import Registration
from flows.domain.records import Consent, Preference, Subscriber
from flows.services.bill_media import CONSENT_PURPOSE
from flows.services.email_validation import build_validation, key_suffix
from flows.services.mail_budget import takes_registration_mail
from menus.model.facts import Email, Fact, Facts, PhoneNumber, Rows, Text, TextRef

COVERED_COLUMNS = ("covered", "covered_state")
INVITATION_LIFETIME = timedelta(hours=72)
OTHER_ADDRESS = TextRef("registration.other_option")
"""Last row of the addresses to pick from: another one, typed behind a link."""


async def begin_registration(request: ActionRequest) -> Outcome:
    """Store the registration of a proved line and list the known e-mail addresses (T7)."""
    subscriber = request.require_subscriber()
    preference = await request.ports.ledger.get_preference(subscriber.operator, subscriber.id)
    wanted = BillDestination("email", preference.email)
    is_done = preference.is_email_usable and wanted.is_met_by(
        await request.ports.billing.get_media(subscriber.account)
    )
    addresses = tuple(dict.fromkeys(filter(None, (preference.email, subscriber.email))))
    outcome = "already" if is_done else "pick" if addresses else "none"
    change = request.build_change(outcome=outcome, registration=_new_registration(request, subscriber))
    rows = Rows(("email",), (*((Email(address),) for address in addresses), (OTHER_ADDRESS,)))
    facts: Facts = {
        "emails": rows,
        "email": Email(addresses[0] if addresses else ""),
        "line": PhoneNumber(request.line),
    }
    return Outcome(await request.ports.ledger.commit(change), facts)


async def choose_address(request: ActionRequest) -> Outcome:
    """Use the address selected or entered on a page: at once when validated, else after validation (T8).

    `other` when the row for another address was picked.
    """
    if request.facts.get("email") == OTHER_ADDRESS:
        return Outcome("other")
    subscriber, address = request.require_subscriber(), _address_fact(request)
    preference = await request.ports.ledger.get_preference(subscriber.operator, subscriber.id)
    if not (preference.is_email_usable and preference.email == address):
        return await _send_validation(request, (_new_registration(request, subscriber),), address)
    latest = await request.ports.ledger.latest_consent(subscriber.operator, subscriber.id, CONSENT_PURPOSE)
    await request.ports.billing.set_media(subscriber.account, BillDestination("email", address))
    change = request.build_change(consents=(_bill_consent(request),))
    return Outcome(await request.ports.ledger.commit(replace(change, after_consent=latest)))


async def register_texted_address(request: ActionRequest) -> Outcome:
    """Use a texted address for the line proven last, or for its own line where none was (T9)."""
    subscriber, address = request.require_subscriber(), _address_fact(request)
    own = _new_registration(request, subscriber)
    lines = [] if request.subject else [each for each, _ in await _covered_lines(request)]
    return await _send_validation(request, [lines[-1] if lines else own], address)


async def register_address_for_all(request: ActionRequest) -> Outcome:
    """Use a texted address for every line registered from this phone that has no validated one (T9)."""
    subscriber, address = request.require_subscriber(), _address_fact(request)
    lines = [each for each, preference in await _covered_lines(request) if not preference.is_email_usable]
    return await _send_validation(request, lines or [_new_registration(request, subscriber)], address)


async def resend_validation(request: ActionRequest) -> Outcome:
    """Send the validation e-mail again for each pending line with the first one's address (T8).

    A line whose mails bounce is pending, too: its mailbox may have room again.
    """
    request.require_subscriber()
    pending = [
        (each, chosen)
        for each, chosen in await _covered_lines(request)
        if chosen.email and not chosen.is_email_usable
    ]
    if not pending:
        return Outcome("none")
    address = pending[0][1].email
    return await _send_validation(
        request, [each for each, chosen in pending if chosen.email == address], address
    )


async def send_email_page_link(request: ActionRequest) -> Outcome:
    """Send an SMS link to a page that takes the e-mail address, hard to enter on a keypad (T7)."""
    if not request.caller:
        return Outcome("hidden")
    link = request.build_link("mailbox", request.require_subscriber().account, INVITATION_LIFETIME)
    url = Text(f"{request.ports.links_url}/mailbox#{link.token.value}")
    notice = request.build_sms("registration.invitation", {"link": url}, "reply", INVITATION_LIFETIME)
    change = request.build_change(links=(link,), messages=(notice,))
    return Outcome(await request.ports.ledger.commit(change))


async def list_covered_lines(request: ActionRequest) -> Outcome:
    """List the lines registered from this phone, each with its state (T8, T9)."""
    request.require_subscriber()
    covered = await _covered_lines(request)
    rows = tuple(
        (PhoneNumber(each.line), TextRef(f"registration.{_line_state(chosen)}")) for each, chosen in covered
    )
    return Outcome("ok", {"covered_lines": Rows(COVERED_COLUMNS, rows)}) if rows else Outcome("none")


async def _send_validation(request: ActionRequest, lines: Sequence[Registration], address: str) -> Outcome:
    """Send the address one validation link per line; `soon` when over the phone's or the address's limit.

    Lines besides the one in question are registered already, and are not proven anew by this.
    """
    if not await takes_registration_mail(request, address):
        return Outcome("soon")
    for each in lines:
        links, notices = build_validation(request, address, each.subscription)
        change = request.build_change(
            part=f"/{key_suffix(request.key, each.line)}",
            subscription=each.subscription,
            preference=Preference(notify="email", email=address),
            consents=(_bill_consent(request),),
            links=links,
            messages=notices,
            registration=each if each.line == request.line else None,
        )
        await request.ports.ledger.commit(change)
    return Outcome("pending", {"email": Email(address), "line": PhoneNumber(lines[0].line)})


async def _covered_lines(request: ActionRequest) -> list[tuple[Registration, Preference]]:
    """Return the lines registered from this phone, each with its stored preference.

    None where only another line was proven: the phone's number may be forged (T5).
    """
    ledger, operator = request.ports.ledger, request.menu.name
    rows = await ledger.list_registrations(operator, request.caller) if request.is_phone_proven else ()
    return [(row, await ledger.get_preference(operator, row.subscription)) for row in rows]


def _line_state(preference: Preference) -> str:
    """Return a line's state: `open` without an address, `pending` until it is validated, then `done`.

    `bounced` or `delayed` when its last mail was.
    """
    if not preference.email:
        return "open"
    if preference.email_state in ("bounced", "delayed"):
        return preference.email_state
    return "done" if preference.email_validated else "pending"


def _new_registration(request: ActionRequest, subscriber: Subscriber) -> Registration:
    """Build the registration of the line from the phone in use, or from itself where that is not proven."""
    phone = request.caller if request.is_phone_proven else ""
    return Registration(phone or request.line, request.line, subscriber.id, subscriber.account)


def _bill_consent(request: ActionRequest) -> Consent:
    return request.build_consent(CONSENT_PURPOSE, "registration.begin", is_given=True)


def _address_fact(request: ActionRequest) -> str:
    address: Fact | Rows | None = (
        request.facts.get("email") if not request.argument else request.facts.get("address")
    )
    return address.value if isinstance(address, Email | Text) else ""


ACTIONS = {
    "registration.begin": define_action(begin_registration, "pick none already"),
    "registration.choose": define_action(choose_address, "ok pending soon other"),
    "registration.given": define_action(register_texted_address, "pending soon", changes_address=True),
    "registration.all": define_action(register_address_for_all, "pending soon", changes_address=True),
    "registration.resend": define_action(resend_validation, "pending soon none"),
    "registration.invite": define_action(send_email_page_link, "ok hidden", changes_address=True),
    "registration.status": define_action(list_covered_lines, "ok none"),
}
