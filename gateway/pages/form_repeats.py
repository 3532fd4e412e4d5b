"""Form repeats: a form pressed twice by one visitor does its work once, and shows its result twice."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flows.domain.records import ChangeSet, LinkPurpose, Secret
from flows.domain.single_flight import SingleFlight
from gateway.pages.csrf import CsrfTokens
from gateway.pages.page_request import PageRequest

REPEAT_WINDOW = timedelta(minutes=5)
"""How long after the first press another one counts as the same."""


@dataclass(frozen=True, slots=True)
class FormRepeats:
    """What visitors' forms did in the last minutes, kept in the ledger under keyed hashes.

    Presses at one moment are one call where they reach one process. Where they reach two, the second may count
    as a wrong attempt of its own, and still gets the result of the first.
    """

    csrf_tokens: CsrfTokens = field(repr=False)
    under_way: SingleFlight[str, bool] = field(default_factory=SingleFlight, repr=False)

    def press_key(self, request: PageRequest, label: str, secret: Secret, extra: str = "") -> str:
        """Return the key of what this visitor's form does with a secret: a code or a token."""
        return self.csrf_tokens.keyed_hash(f"{label} {request.form_token}", secret, extra)

    async def do_once(
        self, request: PageRequest, key: str, step: Callable[[], Coroutine[None, None, bool]]
    ) -> bool:
        """Take the step unless it succeeded in the last minutes; return whether it did, now or then."""
        return await self.under_way.join(key, lambda: self._do(request, key, step))

    async def is_done(self, request: PageRequest, key: str) -> bool:
        """Return whether the step of this key succeeded in the last minutes."""
        reply = await request.ports.ledger.find_reply(key)
        try:
            return reply is not None and request.now - read_press_time(reply) < REPEAT_WINDOW
        except ValueError:
            return False

    async def redeem_code(
        self, request: PageRequest, number: str, purpose: LinkPurpose, code: Secret, key: str
    ) -> bool:
        """Redeem a code that was typed; a second press with it is no second attempt."""

        async def redeem() -> bool:
            result = await request.ports.codes.redeem_code(
                request.operator, number, purpose, code, request.now, request.rate_limit_key
            )
            return result == "ok"

        return await self.do_once(request, key, redeem)

    async def _do(
        self, request: PageRequest, key: str, step: Callable[[], Coroutine[None, None, bool]]
    ) -> bool:
        if await self.is_done(request, key):
            return True
        if not await step():
            return await self.is_done(request, key)  # another process may have done it meanwhile
        reply = request.now.isoformat().encode()
        await request.ports.ledger.commit(ChangeSet(key, request.operator, "", request.now, reply=reply))
        return True


def read_press_time(reply: bytes) -> datetime:
    """Return when a form did its work; ValueError for stored bytes that are no instant with an offset."""
    pressed_at = datetime.fromisoformat(reply.decode())
    if pressed_at.tzinfo is None:
        raise ValueError("an instant without an offset")
    return pressed_at
