"""SIM swap check by a fresh read of billing: is the SIM new, may a code go to its line."""

from datetime import datetime, timedelta
from typing import Literal

from flows.domain.actions import ActionRequest
from flows.domain.failures import NotFound
from flows.domain.records import AuditEntry, Subscriber

SIM_SWAP_WINDOW = timedelta(hours=72)
"""After a SIM swap no codes are sent for this long."""
WithholdingReason = Literal["", "sim_changed", "owner_changed"]


def has_new_sim(subscriber: Subscriber, now: datetime, window: timedelta) -> bool:
    """Return whether the SIM was changed less than `window` ago; False where billing does not say."""
    changed_at = subscriber.sim_changed_at
    return changed_at is not None and now - changed_at < window


async def withhold_reason(request: ActionRequest) -> WithholdingReason:
    """Return why no code may go to the line now; empty when one may. A reason is audited and counted.

    Billing is read again, whether the line is known or not, so that no cached answer hides a swap and the
    response time discloses nothing. It is not read when the send limits refuse the code anyway. Raises
    Unavailable when billing does not answer: then nothing may be sent.
    """
    if await _is_refused_by_limits(request):
        return ""
    try:
        current = await request.ports.billing.recheck_subscriber(request.line)
    except NotFound:
        current = None
    reason = _reason(request, current)
    if reason:
        _report(request, reason)
    return reason


async def _is_refused_by_limits(request: ActionRequest) -> bool:
    next_at = await request.ports.codes.next_code_at(
        request.menu.name, request.line, request.argument, request.requester, request.now
    )
    return next_at > request.now


def _reason(request: ActionRequest, current: Subscriber | None) -> WithholdingReason:
    """Compare what the conversation knows of the line with what billing says now."""
    known = request.subscriber
    if known is None:
        return ""
    if current is None or (current.id, current.since) != (known.id, known.since):
        return "owner_changed"
    return "sim_changed" if has_new_sim(current, request.now, SIM_SWAP_WINDOW) else ""


def _report(request: ActionRequest, reason: WithholdingReason) -> None:
    entry = AuditEntry(
        operator=request.menu.name,
        actor=request.line,
        action="code.withheld",
        happened_at=request.now,
        channel=request.channel,
        object=request.argument,
        outcome=reason,
        correlation=request.key,
    )
    request.ports.ledger.record_audit_entry(entry)
    request.ports.on_code_withheld(request.menu.name, reason)
