"""Wait before the next attempt to connect: doubled and jittered; a minute after wrong credentials."""

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 30.0
REFUSED_WAIT_SECONDS = 60.0
"""Wait after a wrong name or password: some SMSCs lock an account that insists."""


def next_wait(
    failures: int,
    wrong_credentials: bool,  # noqa: FBT001
    fraction: float,
    longest_seconds: float = LONGEST_WAIT_SECONDS,
) -> float:
    """Return the seconds to wait; `fraction` between 0 and 1 spreads them from half to the whole.

    `failures`: connections in a row that did not bind, 0 after one that did.
    """
    if wrong_credentials:
        return REFUSED_WAIT_SECONDS
    longest = min(FIRST_WAIT_SECONDS * float(2 ** min(failures, 10)), longest_seconds)
    return longest * (0.5 + fraction / 2)
