"""Audit proof: that one entry stands in the chain, without showing any other entry (Merkle path)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, select

from storage.audit.id_ranges import list_ids, parse_ranges
from storage.audit.merkle import PathStep, follow_path, list_path
from storage.sql.audit_schema import audit, audit_pages
from storage.sql.bulk import in_table

_PAGE = audit_pages.c
SELECT_POSSIBLE_PAGES = (
    select(audit_pages)
    .where(_PAGE.floor_id <= bindparam("id"), _PAGE.last_id >= bindparam("id"))
    .order_by(_PAGE.number)
)
SELECT_LINES = select(audit).where(in_table(audit.c.id, "ids")).order_by(audit.c.id)


@dataclass(frozen=True, slots=True)
class LineProof:
    """An entry, its page, and the path from the entry's MAC to the page's root."""

    line: Any = field(repr=False)
    """The row of the entry."""
    page: Any = field(repr=False)
    """The row of its page."""
    seq: int
    path: Sequence[PathStep]

    @property
    def leads_to_root(self) -> bool:
        """Return whether the path leads from the entry's MAC to the root of its page."""
        return follow_path(self.line.mac, self.path) == bytes(self.page.root)

    def to_json(self) -> dict[str, Any]:
        """Return everything that is needed to follow the path, bytes in hex, for `json`."""
        values = {name: _to_text(value) for name, value in self.line._mapping.items() if value is not None}
        place = ("number", "previous_hash", "first_seq", "line_count", "line_ids", "newest_at", "root", "hash")
        page = {name: _to_text(self.page._mapping[name]) for name in place}
        path = [(side, other.hex()) for side, other in self.path]
        return {"line": self.seq, "entry": values, "path": path, "page": page}


def find_proof(connection: Connection, line_id: int) -> LineProof | None:
    """Return the proof of the entry with an id; None when it does not stand in a page, or the page has gaps."""
    for page in connection.execute(SELECT_POSSIBLE_PAGES, {"id": line_id}).all():
        ids = list_ids(parse_ranges(page.line_ids))
        if line_id in ids:
            index, lines = ids.index(line_id), connection.execute(SELECT_LINES, {"ids": ids}).all()
            if len(lines) != len(ids):
                return None
            path = list_path([line.mac for line in lines], index)
            return LineProof(lines[index], page, page.first_seq + index, path)
    return None


def _to_text(value: Any) -> Any:
    """Return a column's value for JSON."""
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if hasattr(value, "isoformat") else value
