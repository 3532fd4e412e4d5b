"""Twilio error codes and the failure of each, by the published list (twilio.com/docs/api/errors)."""

from collections.abc import Mapping
from types import MappingProxyType

from flows.domain.failures import Misconfigured, NotNow, OptedOut, Rejected, TryLater, Undelivered

ACCOUNT_CODES = frozenset(
    {
        *(10001, 10002),  # account not active; trial account
        *(20002, 20003, 20005, 20006, 20008, 20101, 20103, 20104, 20107, 20403, 20404),  # credentials, access
        *(21470, 21471, 21472),  # account missing or not active
        *(30002, 30037, 30044, 30108, 30112, 30454),  # suspended, messaging disabled, trial, over its limit
    }
)
"""About our account: suspended, closed, unpaid, without permission."""

SENDER_CODES = frozenset(
    {
        *(21212, 21601, 21603, 21606, 21607, 21608, 21613, 21615, 21616, 21631, 21649, 21650, 21651),
        *(21657, 21659, 21660, 21661, 21662, 21663, 21664, 21665, 21666, 21667, 21668),
        *(21408, 21900, 21901, 21910),  # region not enabled; registration in India; channels that differ
        *(21701, 21702, 21703, 21704, 21705, 21708, 21709, 21711, 21712, 21713, 21714, 21715, 21733),
        *(21717, 21719, 21720, 21729, 21731, 21732),  # campaigns and brands (US A2P 10DLC)
        *(30018, 30024, 30032, 30033, 30034, 30035, 30040, 30041, 30042, 30043),  # not registered
        *(30124, 30125, 30126, 30127),
    }
)
"""About our sender: number, alphanumeric id or messaging service that may not send there."""

REQUEST_CODES = frozenset(
    {
        *(21609, 21617, 21624, 21626, 21627, 21902),  # callback address, length, validity, price
        *(30010, 30012, 30013, 30028, 30029, 30030, 30031, 30045, 30400),
    }
)
"""About what every request of ours carries: as it goes out from this gateway, no message will pass."""

RECIPIENT_CODES = frozenset(
    {
        *(21211, 21214, 21217, 21604, 21612, 21614, 21635, 21653),  # not a number, not a mobile, no route
        *(30004, 30005, 30006, 30011, 30014, 30015, 30016, 30453),  # blocked, unknown, landline
    }
)
"""About the recipient's number."""

CONTENT_CODES = frozenset(
    {
        *(21602, 21605, 21618, 21619, 21620, 21621, 21622, 21623, 21652, 21654, 21655, 21656, 21658),
        *(30007, 30019, 30036, 30038, 30039, 30110, 30111, 30450),  # filtered, too large, too late, a loop
    }
)
"""About the text of this message."""

TEMPORARY_CODES = frozenset(
    {
        *(14107, 20429, 21611, 21730),  # rates, maintenance, the sender's queue is full
        *(30001, 30008, 30017, 30020, 30021, 30022, 30023, 30027, 30410),  # queue, congestion, caps, time-outs
    }
)
"""Twilio or a network is busy; this message was not taken. After an error of its servers (20500) it may be."""

ERROR_CODES: Mapping[int, type[Undelivered]] = MappingProxyType(
    dict.fromkeys(ACCOUNT_CODES | SENDER_CODES | REQUEST_CODES, Misconfigured)
    | dict.fromkeys(RECIPIENT_CODES | CONTENT_CODES, Rejected)
    | dict.fromkeys(TEMPORARY_CODES, TryLater)
    | {21610: OptedOut, 30003: NotNow}
)
"""Failure by code. `Misconfigured` pauses this provider, alerts, and asks the next one."""


def is_our_fault(code: str) -> bool:
    """Return whether a status callback's `ErrorCode` is about our account, sender or requests."""
    number = code.strip()
    return number.isascii() and number.isdecimal() and ERROR_CODES.get(int(number[:9])) is Misconfigured
