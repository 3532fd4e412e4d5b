"""Requests about one number: whose it is, erasing it everywhere; for console and command line."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flows.domain.failures import Failure, NotFound
from flows.domain.records import Subscriber
from gateway.wiring.container import Container
from storage.privacy.data_map import DataSubject

NO_SESSIONS_DROPPED = -1
"""Returned when the store of sessions does not answer: they end by themselves within ten minutes."""


@dataclass(frozen=True, slots=True)
class FoundSubject:
    """A number, and what billing says of it now."""

    subject: DataSubject
    subscriber: Subscriber | None = field(default=None, repr=False)
    billing_answered: bool = True


async def find_subject(container: Container, operator: str, msisdn: str) -> FoundSubject | None:
    """Return whose number this is; None for an operator we do not serve or a text that is no number.

    Billing that does not answer is no error: what hangs on the number itself is found all the same.
    """
    ports = container.operators.get(operator)
    if ports is None:
        return None
    number = container.menu_versions.current_menu(operator).parse_msisdn(msisdn)
    if number is None:
        return None
    try:
        subscriber = await ports.billing.recheck_subscriber(number)
    except NotFound:
        return FoundSubject(DataSubject(operator, number))
    except Failure:
        return FoundSubject(DataSubject(operator, number), billing_answered=False)
    return FoundSubject(DataSubject(operator, number, subscriber.id), subscriber)


def export_as_json(exported: Mapping[str, Any]) -> str:
    """Return all that is stored about a line as JSON: instants in ISO 8601, other values as text."""
    return json.dumps(exported, indent=2, ensure_ascii=False, default=_json_value)


def _json_value(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


async def erase_subject(container: Container, subject: DataSubject, *, confirmed: bool) -> dict[str, str]:
    """Erase a line's data, or only report what would be erased; return what happens to each table's rows."""
    keys = container.pseudonyms
    names = filter(None, (subject.number, subject.subscription))
    prefixes = [keys.keyed_hash(subject.operator, each) for each in names]
    await container.write_behind.write_pending()
    report = await container.privacy.erase(subject, prefixes, confirmed=confirmed)
    if confirmed:
        container.subscriber_caches[subject.operator].forget(subject.number)
    return report


async def drop_sessions(container: Container, subject: DataSubject) -> int:
    """Drop the line's live sessions; return how many, or NO_SESSIONS_DROPPED."""
    try:
        tag = container.pseudonyms.keyed_hash(subject.operator, subject.number)
        return await container.sessions.forget_subscriber(tag)
    except Failure:
        return NO_SESSIONS_DROPPED
