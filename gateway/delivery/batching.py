"""Group claimed messages with equal bodies into bulk calls."""

from collections.abc import Iterator, Mapping, Sequence

from flows.domain.records import Notice, Parcel
from gateway.delivery.route import TOGETHER, Lane


def trays(parcels: Sequence[Parcel], lanes: Mapping[tuple[str, str], Lane]) -> Iterator[list[Parcel]]:
    """Yield groups to send in one call each, in the order of the batch.

    Notices with equal bodies on a route that supports bulk share a group, each number once and at most
    `MAX_BULK_RECIPIENTS`; every other message is a group of one.
    """
    groups: dict[tuple[str, str, str], dict[str, Parcel]] = {}
    for message in parcels:
        item = message.item
        if not isinstance(item, Notice) or not _bulk(lanes.get((item.operator, item.route))):
            yield [message]
            continue
        group = groups.setdefault((item.operator, item.route, item.body), {})
        if item.to in group or len(group) == TOGETHER:
            yield [message]
        else:
            group[item.to] = message
    for group in groups.values():
        yield list(group.values())


def _bulk(lane: Lane | None) -> bool:
    return lane is not None and lane.bulk
