"""Posts of bookings to a BSS: one without an answer is waited for, not repeated.

TM Forum's interfaces and Kill Bill book whatever is posted and take no key twice. The caller looks for the key
first; together both book once (decision 0260).
"""

from collections.abc import Awaitable

from flows.domain.failures import BookingUnconfirmed, Unavailable
from storage.billing._client.account_changes import EditConflict


async def confirm_post(post: Awaitable[None], what: str) -> None:
    """Await the post of `what` (a charge, a payment).

    BookingUnconfirmed when it got no answer, or met another change: it may be booked now, a little later, or
    not at all. Refused when nothing was booked.
    """
    try:
        await post
    except (Unavailable, EditConflict) as failure:
        raise BookingUnconfirmed(f"the BSS did not confirm {what}") from failure
