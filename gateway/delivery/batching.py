"""Trays: the parcels of a batch that go out in one call, by themselves unless a provider takes many."""

from collections.abc import Iterator, Mapping, Sequence

from flows.domain.records import Notice, Parcel
from gateway.delivery.route import TOGETHER, Lane


def trays(parcels: Sequence[Parcel], lanes: Mapping[tuple[str, str], Lane]) -> Iterator[list[Parcel]]:
    """Equal bodies through a bulk lane share a tray, each number once in it; the batch's order is kept."""
    open_trays: dict[tuple[str, str, str], dict[str, Parcel]] = {}
    for parcel in parcels:
        item = parcel.item
        if not isinstance(item, Notice) or not _bulk(lanes.get((item.operator, item.route))):
            yield [parcel]
            continue
        tray = open_trays.setdefault((item.operator, item.route, item.body), {})
        if item.to in tray or len(tray) == TOGETHER:
            yield [parcel]
        else:
            tray[item.to] = parcel
    for tray in open_trays.values():
        yield list(tray.values())


def _bulk(lane: Lane | None) -> bool:
    return lane is not None and lane.bulk
