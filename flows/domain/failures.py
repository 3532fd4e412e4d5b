"""Failures: one tree; each says whether to try again, whether to log, and which screen is shown.

Failure
  Refused                what was asked may not be done; asking again changes nothing
    NotFound             nobody and nothing by that name
    NotEligible          the operator's rules leave this subscriber out
    NotPublished         the bill exists but may not be shown yet
  Unavailable            a part we depend on did not answer
    Slow                 it took longer than the turn allows
    Down                 it refused, broke off, or is known to be out
    Overloaded           we shed this piece of work ourselves
  Undelivered            a notice did not go out
    TryLater             the provider asks for another time, or failed before taking it
      NotNow             the recipient cannot be reached just now; the provider is well
    Rejected             the recipient cannot be reached this way
    OptedOut             the recipient does not want messages
    Misconfigured        sender, credentials or region are wrong: a person must look, then it may go
    OutcomeUnknown       the request left and no answer came
  BadRequest             an inbound request that is not what its contract says
"""

from typing import ClassVar


class Failure(Exception):  # noqa: N818 - the tree's names are the words screens and logs use
    """Something went wrong."""

    again: ClassVar[bool] = False
    """May the same work be tried again?"""
    logged: ClassVar[bool] = True
    """Is it worth a log line?"""
    outcome: ClassVar[str] = "down"
    """The outcome a step reports, hence the screen the subscriber sees."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class Refused(Failure):
    """This may not be done."""

    logged = False
    outcome = "refused"


class NotFound(Refused):
    """Nothing is known by that name."""

    outcome = "unknown"


class NotEligible(Refused):
    """The operator's rules leave this subscriber out."""


class NotPublished(Refused):
    """The bill may not be shown yet."""

    outcome = "early"


class Unavailable(Failure):
    """A part we depend on did not answer."""

    again = True


class Slow(Unavailable):
    """The answer took longer than the turn allows."""

    outcome = "slow"


class Down(Unavailable):
    """A part we depend on is out."""


class Overloaded(Unavailable):
    """Too much work at once."""


class Undelivered(Failure):
    """The notice did not go out."""


class TryLater(Undelivered):
    """The provider asks for another time."""

    again = True

    def __init__(self, message: str = "", after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds


class NotNow(TryLater):
    """The recipient cannot be reached just now."""


class Rejected(Undelivered):
    """The recipient cannot be reached this way."""


class OptedOut(Rejected):
    """The recipient does not want messages."""

    logged = False


class Misconfigured(Undelivered):
    """Sender, credentials or region are wrong."""

    again = True


class OutcomeUnknown(Undelivered):
    """The request left and no answer came."""


class BadRequest(Failure):
    """The request is not what its contract says."""

    logged = False

    def __init__(self, message: str = "", status: int = 400) -> None:
        super().__init__(message)
        self.status = status
