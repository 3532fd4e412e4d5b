"""TMF678 event listener: announce a created or changed bill to its holder, once."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from flows.domain.failures import BadRequest, NotPublished, Refused, Unavailable
from flows.domain.ports import Cycles
from flows.domain.records import Change
from flows.engine.subscriber_cache import People
from flows.services.bill_notices import Announcer
from gateway.http.guard import Guard
from storage.billing.backend import Fresh

log = logging.getLogger("dialtree.bss_events")
PATH = "/hooks/{operator}/tmf678/{token}/listener/{event}"
EVENTS = frozenset({"customerBillCreateEvent", "customerBillStateChangeEvent"})
"""Event types whose bill is announced."""
OTHERS = frozenset({"customerBillOnDemandCreateEvent", "customerBillOnDemandStateChangeEvent"})
"""Event types of the standard that are acknowledged with 204 and ignored."""


@dataclass(frozen=True, slots=True)
class Listener:
    """aiohttp handler of `EVENT_PATH`, for all operators.

    An event is only a hint: the bill is read from the BSS again, so a forged event discloses nothing.
    """

    guard: Guard = field(repr=False)
    people: Mapping[str, People] = field(repr=False)
    announcer: Callable[[str], Announcer] = field(repr=False)
    """Returns the announcer of an operator, built on its current menu."""
    tokens: Mapping[str, tuple[bytes, ...]] = field(repr=False)
    """Accepted path tokens by operator; an operator without one accepts no events."""
    now: Callable[[], datetime]

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one event: 204 when nothing is left to do, 4xx for a bad event, 503 to have it sent again."""
        match = request.match_info
        try:
            body = await self.guard.event(request, self.tokens.get(match["operator"], ()))
            if match["event"] not in EVENTS | OTHERS:
                return web.Response(status=404)
            account, bill = named(body)
        except BadRequest as error:
            return web.Response(status=error.status)
        except ValueError:
            return web.Response(status=400)
        if match["event"] in OTHERS:
            return web.Response(status=204)
        return web.Response(status=await self._told(match["operator"], account, bill))

    def callback(self, public_url: str, operator: str) -> str:
        """Return the URL to register at the BSS, which appends the event type; empty when no token is set."""
        tokens = self.tokens.get(operator)
        return f"{public_url}/hooks/{operator}/tmf678/{tokens[0].decode()}/listener" if tokens else ""

    async def _told(self, operator: str, account: str, bill_id: str) -> int:
        """Announce the bill; return the HTTP status: 503 while a dependency is unavailable, else 204."""
        try:
            await self._announce(operator, account, bill_id)
        except NotPublished:
            return 204
        except Refused as refused:
            log.warning("bss.event_ignored", extra={"operator": operator, "failure": type(refused).__name__})
        except Unavailable as failure:
            log.warning("bss.event_deferred", extra={"operator": operator, "failure": type(failure).__name__})
            return 503
        return 204

    async def _announce(self, operator: str, account: str, bill_id: str) -> None:
        """Read bill and holder again and enqueue the notices.

        The change is keyed by the bill, so a repeated event enqueues nothing.
        """
        ports = self.people[operator].world
        if isinstance(ports.billing, Fresh):
            ports.billing.invalidate_account(account)
        bill = await ports.billing.bill(account, bill_id)
        if not isinstance(ports.billing, Cycles):
            return
        holder = await ports.billing.holder(account)
        preference = await ports.ledger.preference(operator, holder.id)
        announcer = self.announcer(operator)
        notices = announcer.notices(bill, holder, preference, self.now())
        if notices:
            key = announcer.key(bill, holder)
            await ports.ledger.commit(Change(key, operator, holder.id, self.now(), notices=notices))


def named(data: bytes) -> tuple[str, str]:
    """Return the account id and bill id of an event; ValueError when the body does not contain them."""
    try:
        bill: Any = json.loads(data)["event"]["customerBill"]
        account, name = bill["billingAccount"]["id"], bill["id"]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError from error
    if not isinstance(account, str) or not isinstance(name, str) or len(account) + len(name) > 256:
        raise ValueError
    return account, name
