"""Connect outcome: the failure of a message whose provider could not be connected to; it was not sent."""

from flows.domain.connect_failure import describe_connect_failure, is_certificate_refused
from flows.domain.failures import Misconfigured, TryLater


def unsent_after(error: BaseException, server: str = "") -> TryLater | Misconfigured:
    """Return the failure that an error of connecting stands for: nothing was sent, so it is tried again.

    A certificate that is not accepted waits for somebody's hand. `server` says whose it is, where a message may
    go through several.
    """
    reason = describe_connect_failure(error)
    kind = Misconfigured if is_certificate_refused(error) else TryLater
    return kind(f"{server}: {reason}" if server else reason)
