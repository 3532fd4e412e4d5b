"""Fault modes of the fake BSS servers: what real back ends do wrong, each switched on by its name."""

from base64 import encodebytes
from collections.abc import Callable, Sequence
from decimal import Decimal
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
    "tiny_rest",
    "no_amounts",
    "other_currency",
    "mime_base64",
    "null_expiry",
    "edit_conflict",
    "accepts_later",
    "refuses_change",
    "loses_contact",
    "refuses_plans",
    "lost_answer",
    "shallow_lists",
    "refuses_charges",
    "books_late",
]
BSS_FAULTS: tuple[BssFault, ...] = get_args(BssFault)
"""Names of the modes.

`no_filter`, `no_sort`, `no_offset`: that part of a query is ignored.
`no_count`: no total is given; `page_count`: the count of the page is given as the total.
`own_limit`: pages are never longer than 5.
`past_end_404`, `past_end_416`: the answer behind the last page. `empty_204`: an empty list has no body.
`ended_first`: an ended subscription of the number, another account's, is listed first.
`two_owners`: that subscription goes on, too.
`tiny_rest`: of what is paid, 0.004 remains.
`no_amounts`, `other_currency`: the oldest bill of each account has no amounts, or is in another currency.
`mime_base64`: documents are embedded, base64 in lines of 76 characters, the media type with a parameter.
`null_expiry`: an access token's `expires_in` is null.
`edit_conflict`: the first change of an account is refused, as another came first (TMF666: 412 by its version).
`accepts_later`: a change is answered with 202 and made when `BssRecords.apply_accepted` is called.
`refuses_change`: an e-mail or postal address is answered with 400.
`loses_contact`: a change is answered with success, and its addresses are dropped.
`refuses_plans`: a payment plan is answered with 422.
`lost_answer`: a change is made, and the connection breaks before the answer; after a booking, with 504.
`shallow_lists`: lists of usage and payments have ids only, an account's invoices neither items nor amounts.
`refuses_charges`: a charge of a merchant is answered with 422.
`books_late`: a charge or a payment is answered with 504 and booked when `BssRecords.apply_accepted` is called.
"""
PUBLISHED_TMF_HABITS: frozenset[str] = frozenset({"no_count", "no_sort"})
"""What TMF630 leaves to the server, and the reference implementations leave out."""
OWN_LIMIT = 5
LOST_ANSWER, BOOKS_LATE = "lost_answer", "books_late"
TINY_REST = Decimal("0.004")


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


def booking_response(records: BssRecords, book: Callable[[], None], answer: Any) -> web.Response:
    """Book a charge or a payment and answer, as the records' faults have it; each fault is of one post."""
    if BOOKS_LATE in records.faults:
        records.faults.discard(BOOKS_LATE)
        records.late_bookings.append(book)
        return web.Response(status=504)
    book()
    if LOST_ANSWER in records.faults:
        records.faults.discard(LOST_ANSWER)
        return web.Response(status=504)
    return web.json_response(answer, status=201)


def listed_rows(records: BssRecords, rows: Sequence[BssRow]) -> Sequence[BssRow]:
    """Return the rows of a TM Forum list, as the records' faults have it."""
    is_shallow = "shallow_lists" in records.faults
    return [{"id": each["id"], "href": each["href"]} for each in rows] if is_shallow else rows


def pdf_response(document: BssRow | None) -> web.Response:
    """Return an issuer's document; 404 when a bill has none."""
    if document is None:
        return web.Response(status=404)
    return web.Response(body=document["data"], content_type="application/pdf")


def change_response(
    request: web.Request, records: BssRecords, person: BssRow, values: BssRow, done: web.Response
) -> web.StreamResponse:
    """Make a change of an account as the records' faults have it; `done` is the answer of one that works."""
    faults = records.faults
    if "edit_conflict" in faults:
        faults.discard("edit_conflict")
        return web.Response(status=409)
    if "refuses_change" in faults and values.keys() & CONTACT_COLUMNS:
        return web.Response(status=400)
    if "refuses_plans" in faults and "plans" in values:
        return web.Response(status=422)
    if "loses_contact" in faults:
        values = {name: value for name, value in values.items() if name not in CONTACT_COLUMNS}
    if "accepts_later" in faults:
        records.accepted.append((person, values))
        return web.Response(status=202)
    records.change_person(person, values)
    if "lost_answer" in faults and request.transport is not None:
        request.transport.close()
    return done


CONTACT_COLUMNS = frozenset({"email", "email_validated", "address", "address1", "address2"})
"""Columns of a person that are addresses."""


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


def spoil_remaining(records: BssRecords, row: BssRow) -> Decimal:
    """Return what remains to be paid of a bill, as the records' faults have it."""
    is_tiny = "tiny_rest" in records.faults and row["remaining"] == 0 and row["total"] > 0
    return TINY_REST if is_tiny else row["remaining"]


def spoil_bill(records: BssRecords, row: BssRow, resource: BssRow, amounts: Sequence[str]) -> BssRow:
    """Return a bill as the records' faults have it; `amounts` are the fields of its amounts."""
    if not records.faults & {"no_amounts", "other_currency"} or row is not _oldest_bill(
        records, row["account"]
    ):
        return resource
    if "no_amounts" in records.faults:
        return {name: value for name, value in resource.items() if name not in amounts}
    foreign: BssRow = {
        name: {**resource[name], "unit": "XTS"} for name in amounts if isinstance(resource[name], dict)
    }
    return {**resource, **foreign} if foreign else {**resource, "currency": "XTS"}


def _oldest_bill(records: BssRecords, account: str) -> BssRow:
    return min(records.bills_of(account), key=lambda row: (row["issued"], row["number"]))


def embed_document(records: BssRecords, data: bytes, reference: BssRow) -> BssRow:
    """Return the reference to a document, or the document itself as the records' faults have it."""
    if "mime_base64" not in records.faults:
        return reference
    places = {name: value for name, value in reference.items() if name not in ("href", "url")}
    return {**places, "mimeType": "application/pdf; name=bill.pdf", "content": encodebytes(data).decode()}
