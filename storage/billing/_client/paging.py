"""Pagination of BSS lists: reading ends whatever a server does with offset, count and sort."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flows.domain.failures import Down, Failure, NotFound
from storage.billing._client.answer_fields import field_error, identifier_text, objects_in
from storage.billing._client.body_reader import JsonAnswer

T = TypeVar("T")
log = logging.getLogger("dialtree.billing")
BssResource = Mapping[str, Any]
FetchPage = Callable[[int], Awaitable[JsonAnswer]]
"""Asks for the page that begins at an offset."""
ROUND_LIMIT = 5
"""Servers' own limits are multiples of this: such a page may have been cut, whatever its count says."""
MAX_PREFETCHED_PAGES = 20


@dataclass(frozen=True, slots=True)
class BssList:
    """The rows of a list, and whether they are all of it."""

    rows: list[BssResource] = field(repr=False)
    is_complete: bool


async def iterate_pages(fetch: FetchPage, page_size: int) -> AsyncIterator[list[BssResource]]:
    """Yield the new rows of each page, until a page is empty, missing (404, 416) or was seen before."""
    seen, offset = set[int](), 0
    while rows := _rows_of(answer := await _fetch_or_end(fetch, offset)):
        keys = [_row_key(each) for each in rows]
        new_rows = [each for each, key in zip(rows, keys, strict=True) if key not in seen]
        if not new_rows:
            log.warning("billing.page_repeated", extra={"offset": offset})
            return
        seen.update(keys)
        yield without_repeats(new_rows)
        if offset == 0 and _is_whole_list(answer, len(rows), page_size):
            return
        offset += len(rows)


async def read_list(fetch: FetchPage, page_size: int, max_rows: int) -> BssList:
    """Return the rows of a list, up to `max_rows`; pages that a count promises are read concurrently."""
    first = await fetch(0)
    ahead = await _prefetch_answers(fetch, first, max_rows)
    ahead[0] = first

    async def fetch_ahead(offset: int) -> JsonAnswer:
        return ahead.pop(offset, None) or await fetch(offset)

    rows = list[BssResource]()
    async for page in iterate_pages(fetch_ahead, page_size):
        rows += page
        if len(rows) > max_rows:
            return BssList(rows[:max_rows], is_complete=False)
    return BssList(rows, is_complete=True)


async def gather_all(calls: Iterable[Awaitable[T]]) -> list[T | NotFound]:
    """Return all results, NotFound in its place; raise the first other failure once all calls are over."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    for each in results:
        if isinstance(each, BaseException) and not isinstance(each, NotFound):
            raise each if isinstance(each, Failure) else Down() from each
    return [each for each in results if isinstance(each, NotFound) or not isinstance(each, BaseException)]


async def _prefetch_answers(fetch: FetchPage, first: JsonAnswer, max_rows: int) -> dict[int, JsonAnswer]:
    """Read the pages behind the first that its total count promises, and one behind them, by offset."""
    size, total = len(_rows_of(first)), min(first.total_count or 0, max_rows)
    if not 0 < size < total:
        return {}
    starts = sorted({*range(size, total, size), total})[:MAX_PREFETCHED_PAGES]
    answers = await gather_all(fetch(start) for start in starts)
    by_offset = zip(starts, answers, strict=True)
    return {start: JsonAnswer([]) if isinstance(each, NotFound) else each for start, each in by_offset}


async def _fetch_or_end(fetch: FetchPage, offset: int) -> JsonAnswer:
    """Fetch a page; what is not found behind the first page is the end of the list."""
    try:
        return await fetch(offset)
    except NotFound:
        if offset == 0:
            raise
        return JsonAnswer([])


def _rows_of(answer: JsonAnswer) -> list[BssResource]:
    if not isinstance(answer.body, list):
        raise field_error("list")
    return list(objects_in(answer.body))


def without_repeats(rows: Iterable[BssResource]) -> list[BssResource]:
    """Return the rows without those that repeat one of the same id in every field, as a join of tables does.

    Rows without an id are all kept: two charges may be alike.
    """
    known: dict[str, BssResource] = {}
    return [
        row
        for row in rows
        if not (name := _row_id(row)) or known.setdefault(name, row) is row or known[name] != row
    ]


def _row_id(row: BssResource) -> str:
    return identifier_text(row.get("id")) or identifier_text(row.get("invoiceId"))


def _row_key(row: BssResource) -> int:
    return hash(_row_id(row) or repr(row))


def _is_whole_list(answer: JsonAnswer, rows: int, page_size: int) -> bool:
    """Return whether the first page is certainly the whole list: counted, and not cut at a usual limit."""
    return answer.total_count == rows and rows < page_size and rows % ROUND_LIMIT != 0
