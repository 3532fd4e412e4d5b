"""Fault modes of the fake BSS servers: what real back ends do wrong, each switched on by its name."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

from aiohttp import web

from gateway.demo.bss.data import BssRecords, BssRow

BssFault = Literal[
    "no_filter",
    "no_sort",
    "no_count",
    "page_count",
    "no_offset",
    "own_limit",
    "past_end_404",
    "past_end_416",
    "empty_204",
    "ended_first",
    "two_owners",
]
BSS_FAULTS: tuple[BssFault, ...] = get_args(BssFault)
"""Names of the modes.

`no_filter`, `no_sort`, `no_offset`: that part of a query is ignored.
`no_count`: no total is given; `page_count`: the count of the page is given as the total.
`own_limit`: pages are never longer than 5.
`past_end_404`, `past_end_416`: the answer behind the last page. `empty_204`: an empty list has no body.
`ended_first`: an ended subscription of the number, another account's, is listed first.
`two_owners`: that subscription goes on, too.
"""
PUBLISHED_TMF_HABITS: frozenset[str] = frozenset({"no_count", "no_sort"})
"""What TMF630 leaves to the server, and the reference implementations leave out."""
OWN_LIMIT = 5


def page_response(records: BssRecords, rows: Sequence[BssRow], start: int, limit: int) -> web.Response:
    """Return one page of a list, as the records' faults have it."""
    faults = records.faults
    start = 0 if "no_offset" in faults else start
    page = rows[start : start + (min(limit, OWN_LIMIT) if "own_limit" in faults else limit)]
    if not page and start and faults & {"past_end_404", "past_end_416"}:
        return web.Response(status=404 if "past_end_404" in faults else 416)
    if not page and "empty_204" in faults:
        return web.Response(status=204)
    return web.json_response(page, headers=_count_headers(faults, len(rows), len(page)))


def _count_headers(faults: set[str], total: int, listed: int) -> dict[str, str]:
    if "no_count" in faults:
        return {}
    return {
        "X-Total-Count": str(listed if "page_count" in faults else total),
        "X-Result-Count": str(listed),
    }


def former_owners(records: BssRecords, people: Sequence[BssRow]) -> list[BssRow]:
    """Return for each person another one, whose account has held the same number."""
    if not records.faults & {"ended_first", "two_owners"}:
        return []
    others: dict[Any, BssRow] = {each["account"]: each for each in records.rows.people}
    strangers = list(others.values())
    return [
        {
            **next(other for other in strangers if other["account"] != each["account"]),
            "id": f"former-{each['id']}",
            "msisdn": each["msisdn"],
            "ended": "two_owners" not in records.faults,
        }
        for each in people
    ]
