"""TMF678 event listener: announce a created or changed bill to its holder, once."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from flows.domain.actions import OperatorPorts
from flows.domain.failures import BadRequest, NotPublished, Refused, Unavailable
from flows.domain.ports import BillingCycles
from flows.domain.records import ChangeSet
from flows.services.bill_notices import BillAnnouncer
from gateway.http.guard import Guard
from storage.billing.backend import CacheInvalidation

log = logging.getLogger("dialtree.bss_events")
EVENT_PATH = "/hooks/{operator}/tmf678/{token}/listener/{event}"
ANNOUNCED_EVENTS = frozenset({"customerBillCreateEvent", "customerBillStateChangeEvent"})
"""Event types whose bill is announced."""
MAX_ID_CHARS = 256
"""Longest account id and bill id together."""
IGNORED_EVENTS = frozenset({"customerBillOnDemandCreateEvent", "customerBillOnDemandStateChangeEvent"})
"""Event types of the standard that are acknowledged with 204 and ignored."""


@dataclass(frozen=True, slots=True)
class BillEventHandler:
    """aiohttp handler of `EVENT_PATH`, for all operators.

    An event is only a hint: the bill is read from the BSS again, so a forged event discloses nothing.
    """

    guard: Guard = field(repr=False)
    operators: Mapping[str, OperatorPorts] = field(repr=False)
    announcer_for: Callable[[str], BillAnnouncer] = field(repr=False)
    """Returns the announcer of an operator, built on its current menu."""
    path_tokens: Mapping[str, tuple[bytes, ...]] = field(repr=False)
    """Accepted path tokens by operator; an operator without one accepts no events."""
    now: Callable[[], datetime]

    async def handle_event(self, request: web.Request) -> web.Response:
        """Answer one event: 204 when nothing is left to do, 4xx for a bad event, 503 to have it sent again."""
        match = request.match_info
        try:
            body = await self.guard.read_event(request, self.path_tokens.get(match["operator"], ()))
            if match["event"] not in ANNOUNCED_EVENTS | IGNORED_EVENTS:
                return web.Response(status=404)
            account, bill = parse_bill_event(body)
        except BadRequest as error:
            return web.Response(status=error.status)
        except ValueError:
            return web.Response(status=400)
        if match["event"] in IGNORED_EVENTS:
            return web.Response(status=204)
        return web.Response(status=await self._announcement_status(match["operator"], account, bill))

    def callback_url(self, public_url: str, operator: str) -> str:
        """Return the URL to register at the BSS, which appends the event type; empty when no token is set."""
        tokens = self.path_tokens.get(operator)
        return f"{public_url}/hooks/{operator}/tmf678/{tokens[0].decode()}/listener" if tokens else ""

    async def _announcement_status(self, operator: str, account: str, bill_id: str) -> int:
        """Announce the bill; return the HTTP status: 503 while a dependency is unavailable, else 204."""
        try:
            await self._announce_bill(operator, account, bill_id)
        except NotPublished:
            return 204
        except Refused as refused:
            log.warning("bss.event_ignored", extra={"operator": operator, "failure": type(refused).__name__})
        except Unavailable as failure:
            log.warning("bss.event_deferred", extra={"operator": operator, "failure": type(failure).__name__})
            return 503
        return 204

    async def _announce_bill(self, operator: str, account: str, bill_id: str) -> None:
        """Read bill and holder again and enqueue the notices.

        The change is keyed by the bill, so a repeated event enqueues nothing.
        """
        ports = self.operators[operator]
        if isinstance(ports.billing, CacheInvalidation):
            ports.billing.invalidate_account(account)
        bill = await ports.billing.get_bill(account, bill_id)
        if not isinstance(ports.billing, BillingCycles):
            return
        holder = await ports.billing.get_account_holder(account)
        preference = await ports.ledger.get_preference(operator, holder.id)
        announcer = self.announcer_for(operator)
        notices = announcer.build_notices(bill, holder, preference, self.now())
        if notices:
            key = announcer.notice_key(bill, holder)
            await ports.ledger.commit(ChangeSet(key, operator, holder.id, self.now(), messages=notices))


def parse_bill_event(body: bytes) -> tuple[str, str]:
    """Return the account id and bill id of an event; ValueError when the body does not contain them.

    Some systems write ids as whole numbers.
    """
    try:
        bill: Any = json.loads(body)["event"]["customerBill"]
        names = bill["billingAccount"]["id"], bill["id"]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError from error
    account, bill_id = (str(name) if type(name) is int else name for name in names)
    if not (isinstance(account, str) and isinstance(bill_id, str)):
        raise ValueError
    if len(account) + len(bill_id) > MAX_ID_CHARS or not (account + bill_id).isprintable():
        raise ValueError
    return account, bill_id
