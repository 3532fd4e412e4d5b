"""Audit verification by page: the chain of pages, and the lines of each against its Merkle root."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select

from storage.audit.chain_pages import PAGE_LINES, hash_page
from storage.audit.id_ranges import list_ids, parse_ranges
from storage.audit.merkle import compute_root
from storage.sql.audit_schema import audit, audit_pages
from storage.sql.bulk import in_table
from storage.sql.engine import Database

_PAGE = audit_pages.c
SELECT_PAGES_AFTER = (
    select(audit_pages).where(_PAGE.number > bindparam("after")).order_by(_PAGE.number).limit(PAGE_LINES)
)
SELECT_LINES = select(audit).where(in_table(audit.c.id, "ids"))
SELECT_SINGLE_HASH = select(audit.c.hash).where(audit.c.seq == bindparam("seq"))


@dataclass(slots=True)
class PageVerifier:
    """Verifies the pages one after the other."""

    database: Database = field(repr=False)
    key: bytes = field(repr=False)
    is_genuine: Callable[[Any], bool] = field(repr=False)
    """Whether a line has the MAC of its values."""
    kept_since: datetime
    """Lines older than this may have been deleted by retention."""
    seq: int = 0
    """Lines verified so far; those of the pages follow the lines that were chained one by one."""
    hash: bytes = b""
    number: int = 0
    line_count: int = 0
    """Lines found in pages."""
    faults: list[str] = field(default_factory=list)

    async def verify_pages(self, on_progress: Callable[[int], None]) -> None:
        """Verify all pages; `on_progress` is called with the lines found so far."""
        async for pages in self._read_pages():
            genuine = [page for page in pages if hash_page(self.key, page) == page.hash]
            lines = await self._read_lines(genuine)
            numbers = {page.number for page in genuine}
            for page in pages:
                if page.number in numbers:
                    self.faults += [*await self._list_chain_faults(page), *self._list_line_faults(page, lines)]
                else:
                    self.faults.append(f"page {page.number}: altered")
                self.number, self.hash = page.number, page.hash
                self.seq = page.first_seq + page.line_count - 1
            self.line_count += len(lines)
            on_progress(self.line_count)

    async def _read_pages(self) -> AsyncIterator[Sequence[Any]]:
        """Yield pages in groups of about `PAGE_LINES` lines."""
        group: list[Any] = []
        after = line_count = 0
        while pages := await self.database.read(
            lambda c: c.execute(SELECT_PAGES_AFTER, {"after": after}).all()  # noqa: B023 - awaited at once
        ):
            for page in pages:
                group.append(page)
                line_count += page.line_count
                if line_count >= PAGE_LINES:
                    yield group
                    group, line_count = [], 0
            after = pages[-1].number
        if group:
            yield group

    async def _read_lines(self, pages: Sequence[Any]) -> dict[int, Any]:
        """Return the lines of some pages by id."""
        ids = [each for page in pages for each in list_ids(parse_ranges(page.line_ids))]
        rows = await self.database.read(lambda c: c.execute(SELECT_LINES, {"ids": ids}).all())
        return {row.id: row for row in rows}

    async def _list_chain_faults(self, page: Any) -> list[str]:
        """Return what is wrong with a page's place in the chain."""
        if self.number == 0 and await self._is_first(page):
            return []
        if page.number != self.number + 1:
            return [f"page {page.number}: the pages before are missing"]
        if page.previous_hash != self.hash:
            return [f"page {page.number}: not chained to the one before"]
        return []

    async def _is_first(self, page: Any) -> bool:
        """Return whether the chain may begin with this page, after retention or after single lines."""
        if page.newest_at < self.kept_since:
            return True
        if page.number > 1:
            return False
        parameters = {"seq": page.first_seq - 1}
        before = await self.database.read(lambda c: c.execute(SELECT_SINGLE_HASH, parameters).scalar())
        return bool(page.previous_hash == (before or b""))

    def _list_line_faults(self, page: Any, lines: dict[int, Any]) -> Iterator[str]:
        """Yield what is wrong with the lines of a page."""
        ids = list_ids(parse_ranges(page.line_ids))
        found = [lines[each] for each in ids if each in lines]
        for seq, each in enumerate(ids, page.first_seq):
            if each not in lines:
                if page.newest_at >= self.kept_since:
                    yield f"line {seq}: deleted"
            elif not self.is_genuine(lines[each]):
                yield f"line {seq}: altered"
        if len(found) == len(ids) and compute_root([line.mac for line in found]) != page.root:
            yield f"page {page.number}: its lines are not those that were chained"
