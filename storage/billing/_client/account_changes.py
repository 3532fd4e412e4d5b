"""Account changes at a BSS: made again when another change came first, and asked for afterwards."""

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from flows.domain.failures import ChangePending, Down, InvalidRecord, NotEligible

MAX_EDIT_ATTEMPTS = 3
"""Attempts at a change, each on the account as it then is, while other systems change it, too."""
log = logging.getLogger("dialtree.billing")


class EditConflict(NotEligible):
    """Another change of the same resource came first."""


async def change_account(
    is_met: Callable[[], Awaitable[bool]], send_change: Callable[[], Awaitable[int]]
) -> bool:
    """Make a change unless the account has it already; return whether it was made.

    `is_met` asks the BSS whether the account is as wanted; `send_change` makes the change from the account as
    `is_met` last saw it and returns the HTTP status. Afterwards the BSS is asked again, as it may lose what it
    has answered with success: InvalidRecord then, and ChangePending for one that is only accepted (202) as yet.
    """
    if await is_met():
        return False
    for _ in range(MAX_EDIT_ATTEMPTS):
        try:
            status = await send_change()
        except EditConflict:
            if await is_met():
                return True
            continue
        except NotEligible as refusal:
            log.warning("billing.change_refused", extra={"reason": str(refusal)})
            raise
        if await is_met():
            return True
        raise _unmade_change(status)
    raise Down("other changes of the account came first")


def _unmade_change(status: int) -> ChangePending | InvalidRecord:
    """Return the failure of a change that the account does not show."""
    if status == HTTPStatus.ACCEPTED:
        return ChangePending("the BSS accepted the change and has not made it yet")
    log.error("billing.change_lost", extra={"status": status})
    return InvalidRecord("the BSS did not keep the change")
