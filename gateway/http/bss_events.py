"""The listener: a BSS says that a bill was created or changed, and its holder is told, once."""

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

log = logging.getLogger("dialtree.listener")
PATH = "/hooks/{operator}/tmf678/{token}/listener/{event}"
EVENTS = frozenset({"customerBillCreateEvent", "customerBillStateChangeEvent"})
"""The events that are announced; the others the standard has are answered and left."""
OTHERS = frozenset({"customerBillOnDemandCreateEvent", "customerBillOnDemandStateChangeEvent"})


@dataclass(frozen=True, slots=True)
class Listener:
    """The one handler behind `PATH`, for all operators.

    An event is only a hint: the bill is read from the BSS again, so that a forged one tells nobody anything.
    """

    guard: Guard = field(repr=False)
    people: Mapping[str, People] = field(repr=False)
    announcer: Callable[[str], Announcer] = field(repr=False)
    """An operator's, of the menu that is current."""
    tokens: Mapping[str, tuple[bytes, ...]] = field(repr=False)
    """The secret part of the path, by operator; without one no events are taken."""
    now: Callable[[], datetime]

    async def handle(self, request: web.Request) -> web.Response:
        """204 when there is nothing left to do, 4xx for what is no event, 503 when it is to be said again."""
        match = request.match_info
        try:
            body = await self.guard.event(request, self.tokens.get(match["operator"], ()))
            if match["event"] not in EVENTS | OTHERS:
                return web.Response(status=404)
            account, bill = named(body)
        except BadRequest as bad:
            return web.Response(status=bad.status)
        except ValueError:
            return web.Response(status=400)
        if match["event"] in OTHERS:
            return web.Response(status=204)
        return web.Response(status=await self._told(match["operator"], account, bill))

    def callback(self, public_url: str, operator: str) -> str:
        """The address a BSS is given, to which it adds the event's name; empty when no token is set."""
        tokens = self.tokens.get(operator)
        return f"{public_url}/hooks/{operator}/tmf678/{tokens[0].decode()}/listener" if tokens else ""

    async def _told(self, operator: str, account: str, bill_id: str) -> int:
        try:
            await self._announce(operator, account, bill_id)
        except NotPublished:
            return 204
        except Refused as refused:
            log.warning("event of no bill", extra={"operator": operator, "failure": type(refused).__name__})
        except Unavailable as failure:
            log.warning("event put off", extra={"operator": operator, "failure": type(failure).__name__})
            return 503
        return 204

    async def _announce(self, operator: str, account: str, bill_id: str) -> None:
        """Read bill and holder anew; the key of the change is the bill's, so a second event changes nothing."""
        world = self.people[operator].world
        if isinstance(world.billing, Fresh):
            world.billing.forget(account)
        bill = await world.billing.bill(account, bill_id)
        if not isinstance(world.billing, Cycles):
            return
        holder = await world.billing.holder(account)
        chosen = await world.ledger.preference(operator, holder.id)
        announcer = self.announcer(operator)
        notices = announcer.notices(bill, holder, chosen, self.now())
        if notices:
            key = announcer.key(bill, holder)
            await world.ledger.commit(Change(key, operator, holder.id, self.now(), notices=notices))


def named(data: bytes) -> tuple[str, str]:
    """Account and id of an event's bill; ValueError when it does not name them."""
    try:
        bill: Any = json.loads(data)["event"]["customerBill"]
        account, name = bill["billingAccount"]["id"], bill["id"]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError from error
    if not isinstance(account, str) or not isinstance(name, str) or len(account) + len(name) > 256:
        raise ValueError
    return account, name
