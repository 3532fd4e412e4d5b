"""Notice number: the line's notices go to another phone, proven by a code sent to it (R4)."""

from datetime import datetime, timedelta

from flows.domain.actions import ActionRequest, Outcome, define_action
from flows.domain.records import CodeRequest, OutboundMessage, Preference, Secret
from menus.model.facts import Facts, OneTimeCode, PhoneNumber
from menus.text.gsm import prepare_text, to_wire_text

CODE_PURPOSE = "notify"
OFFER_COUNT_PURPOSE = "notify_offer"
"""Purpose under which the codes that one line has sent to other phones are counted."""


async def offer_number(request: ActionRequest) -> Outcome:
    """Send a code to the number entered; `own` for the line's own, `wrong` for one of another country.

    What one line has sent to others is limited like codes, and so is what one phone gets.
    """
    request.require_subscriber()
    number = request.menu.parse_msisdn(request.input_text) or ""
    if not number.startswith(f"+{request.menu.config.country_code}"):
        return Outcome("wrong")
    facts: Facts = {"notify_number": PhoneNumber(number)}
    if number == request.line:
        return await _store_number(request, number, facts, "own")
    counted = await _count_offer(request)
    if counted != "ok":
        return Outcome(counted)
    return Outcome(await _send_code(request, number), facts)


async def verify_number(request: ActionRequest) -> Outcome:
    """Check the code the number got, and send the line's notices there from now on."""
    request.require_subscriber()
    fact = request.facts.get("notify_number")
    number = fact.value if isinstance(fact, PhoneNumber) else ""
    answer = await request.ports.codes.redeem_code(
        *(request.menu.name, number, CODE_PURPOSE, Secret(request.input_text)),
        now=request.now,
        source=request.requester_for(number),
    )
    if answer != "ok":
        return Outcome(answer)
    return await _store_number(request, number, {"notify_number": PhoneNumber(number)}, "ok")


async def _store_number(request: ActionRequest, number: str, facts: Facts, outcome: str) -> Outcome:
    change = request.build_change(
        outcome=outcome,
        preference=Preference(notify="sms", notify_number=number),
        consents=(request.build_consent("bill-notice", "notify.number", is_given=True),),
    )
    return Outcome(await request.ports.ledger.commit(change), facts)


async def _send_code(request: ActionRequest, number: str) -> str:
    rules = request.menu.config.rules
    code, expires_at = request.ports.random_digits(rules.code_digits), _code_expiry(request)
    facts: Facts = {"code": OneTimeCode(code), "line": PhoneNumber(request.line)}
    text = request.render_text("notify.code_notice", facts)
    message = OutboundMessage(
        key=f"{request.key}/code",
        operator=request.menu.name,
        to=number,
        route="sms",
        kind="code",
        body=to_wire_text(prepare_text(text)),
        language=request.language,
        expires_at=expires_at,
    )
    return await request.ports.codes.issue_code(
        CodeRequest(
            key=request.key,
            operator=request.menu.name,
            number=number,
            purpose=CODE_PURPOSE,
            code=Secret(code),
            requested_at=request.now,
            expires_at=expires_at,
            message=message,
            requester=request.requester_for(number),
        )
    )


async def _count_offer(request: ActionRequest) -> str:
    return await request.ports.codes.issue_code(
        CodeRequest(
            key=f"{request.key}/count",
            operator=request.menu.name,
            number=request.line,
            purpose=OFFER_COUNT_PURPOSE,
            code=Secret(request.ports.random_token()),
            requested_at=request.now,
            expires_at=request.now,
            message=None,
        )
    )


def _code_expiry(request: ActionRequest) -> datetime:
    return request.now + timedelta(minutes=request.menu.config.rules.code_minutes)


ACTIONS = {
    "notify.offer": define_action(offer_number, "ok own soon many wrong", changes_address=True),
    "notify.verify": define_action(verify_number, "ok wrong locked", changes_address=True),
}
