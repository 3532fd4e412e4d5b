"""Group claimed messages with equal bodies into bulk calls, and await what is done with a group."""

import asyncio
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence

from flows.domain.records import ClaimedMessage, DeliveryOutcome, OutboundMessage
from gateway.delivery.route import MAX_BULK_RECIPIENTS, OutboundRoute


def group_for_bulk(
    messages: Sequence[ClaimedMessage], routes: Mapping[tuple[str, str], OutboundRoute]
) -> Iterator[list[ClaimedMessage]]:
    """Yield groups to send in one call each, in the order of the batch.

    Notices with equal bodies on a route that supports bulk share a group, each number once and at most
    `MAX_BULK_RECIPIENTS`; every other message is a group of one.
    """
    groups: dict[tuple[str, str, str], dict[str, ClaimedMessage]] = {}
    for message in messages:
        item = message.item
        if not isinstance(item, OutboundMessage) or not _supports_bulk(routes.get((item.operator, item.route))):
            yield [message]
            continue
        group = groups.setdefault((item.operator, item.route, item.body), {})
        if item.to in group or len(group) == MAX_BULK_RECIPIENTS:
            yield [message]
        else:
            group[item.to] = message
    for group in groups.values():
        yield list(group.values())


def _supports_bulk(route: OutboundRoute | None) -> bool:
    return route is not None and route.supports_bulk


async def await_all(work: Iterable[Awaitable[None]]) -> None:
    """Await all, whatever fails; then raise the first exception."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


def ignore_outcome(message: ClaimedMessage, outcome: DeliveryOutcome) -> None:
    """Do nothing, where nobody counts attempts."""


async def leave_unchanged(message: OutboundMessage) -> OutboundMessage:
    """Return a message as it is, with nothing to complete in it."""
    return message


def notice_of(message: ClaimedMessage) -> OutboundMessage:
    """Return the message's notice; groups never mix in deferred steps."""
    assert isinstance(message.item, OutboundMessage)  # noqa: S101 - groups hold notices only
    return message.item
