"""Ports of credentials: one-time codes and passwords, as the flows use them."""

from datetime import datetime
from typing import Literal, Protocol

from flows.domain.records import CodeRequest, Secret


class OneTimeCodes(Protocol):
    """One-time codes (OTP), stored as keyed hashes; every counter is atomic."""

    async def issue_code(self, request: CodeRequest) -> Literal["ok", "soon", "many"]:
        """Store a code and enqueue its message in one transaction; the previous code becomes invalid.

        A request with a `requester` leaves a code that the line's own handset asked for valid.
        `soon`: less than 30 s after the last of this purpose, or a live reset code stays, unless `by_email`.
        `many`: over a limit (`storage.credentials.send_budgets`), counted apart for the own handset and others.
        A repeated `key` returns the first result."""

    async def next_code_at(
        self, operator: str, number: str, purpose: str, requester: str, now: datetime
    ) -> datetime:
        """Return when `issue_code` sends this requester the next code: `now` or later; see `CodeRequest`."""

    async def redeem_code(
        self, operator: str, number: str, purpose: str, code: Secret, now: datetime, source: str = ""
    ) -> Literal["ok", "wrong", "locked"]:
        """Check a code and use it up. Five wrong attempts invalidate it, nine a day lock the number.

        `source` identifies who tries when it is not the line's own handset: counted and limited apart.
        Unknown, expired and used codes are `wrong`; of two parallel uses one is `ok`.
        """


class Passwords(Protocol):
    """Passwords and PINs, stored as argon2id hashes and verified in a bounded pool."""

    async def verify_password(
        self, operator: str, number: str, secret: Secret, kind: str, now: datetime, source: str = ""
    ) -> Literal["ok", "wrong", "locked"]:
        """Verify a secret of the given kind; raises Overloaded when the pool sheds load.

        `source` identifies who tries when it is not the line's own handset, as in `redeem_code`.
        An unknown number takes as long as a known one.
        """

    async def set_password(self, operator: str, number: str, secret: Secret, kind: str, now: datetime) -> None:
        """Set or replace the number's secret of the given kind."""
