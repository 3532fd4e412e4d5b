"""Mail budget: how many confirmation mails a phone may ask for, and how many one address gets."""

from flows.domain.actions import ActionRequest
from flows.domain.records import CodeRequest, Secret

PHONE_PURPOSE, REGISTRATION_PURPOSE, ADDRESS_PURPOSE = "notice-mail", "letter", "mailbox"
"""Purposes the budgets are counted under; `storage.credentials.send_budgets` has their limits."""


async def takes_notice_mail(request: ActionRequest, address: str) -> bool:
    """Count a mail that confirms an address for notices; False when phone or address had its share."""
    phone = await _count_mail(request, PHONE_PURPOSE, request.caller or request.line)
    return phone and await _takes_mail_to(request, address)


async def takes_registration_mail(request: ActionRequest, address: str) -> bool:
    """Count a mail that validates a registration; False when phone or address had its share."""
    phone = await _count_mail(request, REGISTRATION_PURPOSE, request.caller)
    return phone and await _takes_mail_to(request, address)


async def _takes_mail_to(request: ActionRequest, address: str) -> bool:
    """Count a confirmation mail to an address; False when it has had its share, whoever asked for them.

    A repeated request counts once. The address is kept as a keyed hash, for a day.
    """
    return await _count_mail(request, ADDRESS_PURPOSE, address.casefold())


async def _count_mail(request: ActionRequest, purpose: str, who: str) -> bool:
    """Count against the limits of one-time codes, which hold over all processes and restarts."""
    counted = CodeRequest(
        key=f"{request.key}/{purpose}",
        operator=request.menu.name,
        number=who,
        purpose=purpose,
        code=Secret(request.ports.random_token()),
        requested_at=request.now,
        expires_at=request.now,
        message=None,
    )
    return await request.ports.codes.issue_code(counted) == "ok"
