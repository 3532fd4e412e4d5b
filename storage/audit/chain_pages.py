"""Audit chain by page: entries stay as written, a row of `audit_pages` chains up to a thousand.

A page holds the Merkle root of its lines' MACs and the hash of the page before, so that one line can be proven
without the others. Transactions commit in another order than they draw ids: ids left out below the highest one
chained are looked for again during `MISSING_TERM`; later they belong to transactions that were rolled back.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, insert, select

from storage.audit.id_ranges import IdRange, find_gaps, format_ranges, group_ids
from storage.audit.merkle import compute_root
from storage.crypto import keyed_hash
from storage.sql.audit_schema import audit, audit_pages
from storage.sql.server_clock import read_clock

PAGE_LINES = 1_000
"""Most lines of one page, chained in one transaction."""
MISSING_TERM = timedelta(minutes=10)
"""How long an id may be committed after its neighbours: longer than any transaction that writes an entry."""
ADOPTED_IDS = 10_000
"""How far below the last line chained by itself the first page looks for lines that were committed late."""

_LINE, _PAGE = audit.c, audit_pages.c
SELECT_LAST_PAGE = select(audit_pages).order_by(_PAGE.number.desc()).limit(1)
SELECT_LAST_SINGLE = (
    select(_LINE.id, _LINE.seq, _LINE.hash).where(_LINE.seq.is_not(None)).order_by(_LINE.seq.desc()).limit(1)
)
_LIMIT = bindparam("most", type_=_PAGE.line_count.type)
SELECT_LOOSE = (
    select(_LINE.id, _LINE.mac, _LINE.at)
    .where(_LINE.id.between(bindparam("first"), bindparam("last")), _LINE.seq.is_(None))
    .order_by(_LINE.id)
    .limit(_LIMIT)
)
SELECT_NEW = (
    select(_LINE.id, _LINE.mac, _LINE.at)
    .where(_LINE.id > bindparam("after"), _LINE.seq.is_(None))
    .order_by(_LINE.id)
    .limit(_LIMIT)
)
INSERT_PAGE = insert(audit_pages)


class MissingIds(NamedTuple):
    """A range of ids that were not committed when their neighbours were chained."""

    first: int
    last: int
    since: datetime


class ChainEnd(NamedTuple):
    """Where the next page goes on."""

    number: int
    """Number of the last page, 0 before the first."""
    seq: int
    """Lines chained so far."""
    hash: bytes
    last_id: int
    missing: list[MissingIds]
    newest_at: datetime | None


def append_page(connection: Connection, key: bytes) -> int:
    """Chain the lines that wait, at most a page; return how many. One process at a time may do it."""
    now = read_clock(connection)
    end = _read_end(connection, now)
    lines = _read_loose_lines(connection, end)
    if not lines:
        return 0
    connection.execute(INSERT_PAGE, _build_page(key, end, lines, now))
    return len(lines)


def hash_page(key: bytes, page: Any) -> bytes:
    """Return the hash of a page: a keyed hash of everything that a change of the trail would have to change."""
    return keyed_hash(
        key,
        "page",
        page.previous_hash.hex(),
        f"{page.number} {page.first_seq} {page.line_count} {page.line_ids}",
        page.newest_at.isoformat(),
        page.root.hex(),
    )


class _PageContent(NamedTuple):
    """What the hash of a page is over."""

    number: int
    previous_hash: bytes
    first_seq: int
    line_count: int
    line_ids: str
    newest_at: datetime
    root: bytes


def _read_end(connection: Connection, now: datetime) -> ChainEnd:
    page = connection.execute(SELECT_LAST_PAGE).first()
    if page is not None:
        seq = page.first_seq + page.line_count - 1
        missing = parse_missing(page.missing_ids, now)
        return ChainEnd(page.number, seq, page.hash, page.last_id, missing, page.newest_at)
    single = connection.execute(SELECT_LAST_SINGLE).first()
    if single is None:
        return ChainEnd(0, 0, b"", 0, [], None)
    adopted = MissingIds(max(single.id - ADOPTED_IDS, 1), single.id, now)
    return ChainEnd(0, single.seq, single.hash, single.id, [adopted], None)


def parse_missing(text: str | bytes, now: datetime) -> list[MissingIds]:
    """Return the ids to look for again, not those that are missing for too long; none of a text that is broken.

    Lines that are not found because of that are counted as waiting when the log is verified.
    """
    try:
        ranges = [
            MissingIds(int(first), int(last), datetime.fromisoformat(at))
            for first, last, at in json.loads(text)
        ]
        return [each for each in ranges if now - each.since < MISSING_TERM]
    except (ValueError, TypeError, RecursionError, OverflowError):
        return []


def _read_loose_lines(connection: Connection, end: ChainEnd) -> list[Any]:
    """Return the lines to chain, ordered by id: those committed late, then new ones."""
    lines: list[Any] = []
    for first, last, _ in end.missing:
        most = PAGE_LINES - len(lines)
        lines += connection.execute(SELECT_LOOSE, {"first": first, "last": last, "most": most}).all()
    most = PAGE_LINES - len(lines)
    lines += connection.execute(SELECT_NEW, {"after": end.last_id, "most": most}).all()
    return lines


def _build_page(key: bytes, end: ChainEnd, lines: Sequence[Any], now: datetime) -> dict[str, object]:
    ids = [line.id for line in lines]
    newest_at = max(line.at for line in lines)
    content = _PageContent(
        number=end.number + 1,
        previous_hash=end.hash,
        first_seq=end.seq + 1,
        line_count=len(lines),
        line_ids=format_ranges(group_ids(ids)),
        newest_at=max(newest_at, end.newest_at or newest_at),
        root=compute_root([line.mac for line in lines]),
    )
    last_id = max(end.last_id, ids[-1])
    missing = _list_missing(end, ids, last_id, now)
    return {
        **content._asdict(),
        "hash": hash_page(key, content),
        "last_id": last_id,
        "floor_id": min(ids[0], *(first for first, _, _ in missing), last_id + 1),
        "missing_ids": json.dumps([(first, last, since.isoformat()) for first, last, since in missing]),
    }


def _list_missing(end: ChainEnd, ids: Sequence[int], last_id: int, now: datetime) -> list[MissingIds]:
    """Return the ids still missing: of those known before, and between the new ones."""
    known = [
        MissingIds(*gap, each.since) for each in end.missing for gap in find_gaps((each.first, each.last), ids)
    ]
    new: list[IdRange] = list(find_gaps((end.last_id + 1, last_id), ids)) if last_id > end.last_id else []
    return known + [MissingIds(*gap, now) for gap in new]
