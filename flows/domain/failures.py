"""Failures: the exception tree; each class says whether to retry, to log, and which outcome to show.

Failure
  Refused                the request is not allowed; a retry changes nothing
    NotFound             no such subscriber or object
    NotEligible          the operator's rules exclude this subscriber
    NotPublished         the bill exists but may not be shown yet
  Unavailable            a dependency did not answer
    Slow                 it took longer than the turn allows
      ChangePending      it accepted a change and has not made it yet
    Down                 it refused or broke the connection, or its circuit is open
      InvalidRecord      it answered, but one record of the answer cannot be used
    Overloaded           load shedding: we dropped this work ourselves
  Undelivered            a message was not sent
    TryLater             the provider asks to retry later, or failed before accepting the message
      NotNow             the recipient is unreachable for the moment; the provider works
      PaymentOpen        the payment is not decided yet, or the bill is being booked
      MonthOpen          the month a recap is about is not over
      BookingUnconfirmed     billing gave no answer to a booking: it is looked for, then sent again
      LinkBusy           the connection to a network takes nothing now: nothing was sent, no attempt counts
    Rejected             the recipient cannot be reached by this route
      TooLarge           the message is larger than the route or the mailbox takes
    OptedOut             the recipient does not want messages
    Misconfigured        sender, credentials or region are wrong: retried once somebody fixed them
    OutcomeUnknown       the request was sent and no answer came
  BadRequest             an inbound request that violates its contract
"""

from typing import ClassVar

UNANSWERED_SECONDS = 300.0
"""Wait after a booking without an answer: by then billing has made it or given it up; its key tells which."""


class Failure(Exception):  # noqa: N818 - the tree's names are the words screens and logs use
    """The operation failed."""

    is_retryable: ClassVar[bool] = False
    """Whether the same work may be retried."""
    should_log: ClassVar[bool] = True
    """Whether to log it."""
    outcome: ClassVar[str] = "down"
    """Outcome name of the step, which selects the screen the subscriber sees."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class Refused(Failure):
    """The request is not allowed."""

    should_log = False
    outcome = "refused"


class NotFound(Refused):
    """No such subscriber or object."""

    outcome = "unknown"


class NotEligible(Refused):
    """The operator's rules exclude this subscriber."""


class NotPublished(Refused):
    """The bill may not be shown yet."""

    outcome = "early"


class Unavailable(Failure):
    """A dependency did not answer."""

    is_retryable = True


class Slow(Unavailable):
    """The answer took longer than the turn allows."""

    outcome = "slow"


class ChangePending(Slow):
    """A change is accepted and not made yet."""


class Down(Unavailable):
    """A dependency is down."""


class InvalidRecord(Down):
    """One record of the answer cannot be used; the dependency itself works."""


class Overloaded(Unavailable):
    """Load shedding: too much work at once."""


class Undelivered(Failure):
    """The message was not sent."""

    provider: str = ""
    """Name of the provider that said so; set by the route, which may have several."""


class TryLater(Undelivered):
    """The provider asks to retry later."""

    is_retryable = True

    def __init__(self, message: str = "", after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = after_seconds


class NotNow(TryLater):
    """The recipient is unreachable for the moment."""


class PaymentOpen(TryLater):
    """The payment is not decided yet."""

    should_log = False


class BookingUnconfirmed(TryLater):
    """Billing gave no answer to a booking; it is looked for before it is sent again."""

    def __init__(self, message: str = "", after_seconds: float | None = UNANSWERED_SECONDS) -> None:
        super().__init__(message, after_seconds)


class LinkBusy(TryLater):
    """The connection to the network takes nothing now; nothing was sent."""

    should_log = False


class MonthOpen(TryLater):
    """The month that a recap is about is not over yet."""

    should_log = False


class QuietHours(TryLater):
    """The operator's rules send no reminders at this time of the day or week."""

    should_log = False


class Rejected(Undelivered):
    """The recipient cannot be reached by this route."""


class TooLarge(Rejected):
    """The message is larger than the route or the mailbox takes."""


class OptedOut(Rejected):
    """The recipient does not want messages."""

    should_log = False


class Misconfigured(Undelivered):
    """Sender, credentials or region are wrong."""

    is_retryable = True


class OutcomeUnknown(Undelivered):
    """The request was sent and no answer came."""


class BadRequest(Failure):
    """The inbound request violates its contract."""

    should_log = False

    def __init__(self, message: str = "", status: int = 400) -> None:
        super().__init__(message)
        self.status = status
