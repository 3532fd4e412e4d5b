"""Africa's Talking status codes: whose fault each is, from its published lists.

Sources: the status codes of a bulk message's recipients (developers.africastalking.com/docs/sms/sending/bulk)
and the failure reasons of delivery reports (docs.africastalking.com/sms/deliveryreports).
"""

from collections.abc import Mapping
from types import MappingProxyType

from flows.domain.failures import Misconfigured, NotNow, OptedOut, Rejected, TryLater, Undelivered

STATUS_NAMES: Mapping[int, str] = MappingProxyType(
    {
        100: "Processed",
        101: "Sent",
        102: "Queued",
        401: "RiskHold",
        402: "InvalidSenderId",
        403: "InvalidPhoneNumber",
        404: "UnsupportedNumberType",
        405: "InsufficientBalance",
        406: "UserInBlacklist",
        407: "CouldNotRoute",
        409: "DoNotDisturbRejection",
        500: "InternalServerError",
        501: "GatewayError",
        502: "RejectedByGateway",
    }
)
"""Every published `statusCode` of a recipient; there is no other."""

ACCEPTED_CODES = frozenset({100, 101, 102})
ACCOUNT_CODES = frozenset({401, 405})
"""About our account: held for risk, out of balance."""
SENDER_CODES = frozenset({402})
"""About our sender."""
RECIPIENT_CODES = frozenset({403, 404, 406, 407, 502})
"""About the recipient: no number, not a mobile, opted out, no route, refused by the network."""
TEMPORARY_CODES = frozenset({409, 500, 501})
"""Not now: outside the hours a recipient allows, or a fault of theirs before the message was taken."""

REFUSAL_CODES: Mapping[int, type[Undelivered]] = MappingProxyType(
    dict.fromkeys(ACCOUNT_CODES | SENDER_CODES, Misconfigured)
    | dict.fromkeys(RECIPIENT_CODES, Rejected)
    | dict.fromkeys(TEMPORARY_CODES, TryLater)
    | {406: OptedOut, 409: NotNow}
)
"""Failure by a recipient's code. `Misconfigured` pauses this provider, alerts, and asks the next one."""

OUR_REASONS = frozenset({"InsufficientCredit", "InvalidLinkId", "UserNotSubscribedToProduct"})
"""Failure reasons of delivery reports that are about us; the last two concern premium messages only."""
RECIPIENT_REASONS = frozenset(
    {
        *("UserIsInactive", "UserInBlackList", "UserAccountSuspended", "UserDoesNotExist"),
        *("NotNetworkSubscriber", "NotNetworkSubcriber"),  # published with and without the slip of the pen
    }
)
"""Failure reasons that are about the recipient."""
TEMPORARY_REASONS = frozenset({"DeliveryFailure", "DoNotDisturbRejection"})
"""Failure reasons of the moment; a report is final, so the message is not sent again for them."""
