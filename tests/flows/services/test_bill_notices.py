"""Bill notices: what is said of a bill, to whom, and by which route."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import pytest

from flows.domain.pseudonyms import Pseudonyms
from flows.domain.records import Bill, BillState, Preference, Subscriber
from flows.services.bill_notices import BillAnnouncer, notice_routes
from gateway.publishing import pack_compiler
from tests.support.billing.backends import OPERATOR
from tests.support.databases import NOW

ANA = "+40740000101"
HOLDER = Subscriber(
    id="s1",
    operator=OPERATOR,
    msisdn=ANA,
    account="a",
    name="Ana",
    kind="mobile",
    segment="residential",
    language="ro",
    since=date(2020, 1, 1),
    email="ana@example.test",
    email_validated=True,
)


@pytest.fixture(scope="module")
def announcer() -> BillAnnouncer:
    """Provide the announcer of Orange RO."""
    menu = pack_compiler.compile_pack(pack_compiler.pack_folder(OPERATOR))
    return BillAnnouncer(menu, Pseudonyms(b"a key for the tests"))


def issued_bill(total: str, remaining: str, state: BillState = "due") -> Bill:
    amounts = Decimal(total), Decimal("0"), Decimal(remaining)
    return Bill("B1", "B1", "a", date(2026, 3, 1), date(2026, 3, 24), *amounts, state)


@pytest.mark.parametrize(
    ("bill", "said", "unsaid"),
    [
        (issued_bill("79.90", "79.90"), "to be paid by", "remains"),
        (issued_bill("89.90", "39.90", "part"), "39.90", "89.90"),
        (issued_bill("89.90", "39.90", "overdue"), "39.90", "89.90"),
        (issued_bill("45.00", "0", "paid"), "45.00", "to be paid"),
    ],
)
@pytest.mark.parametrize("notify", ["sms", "email"])
def test_a_bill_is_announced_as_what_it_is(
    announcer: BillAnnouncer, bill: Bill, said: str, unsaid: str, notify: Literal["sms", "email"]
) -> None:
    [notice] = announcer.build_notices(bill, HOLDER, Preference(language="en", notify=notify), NOW)
    assert said in notice.body and (unsaid not in notice.body or (notify == "email" and unsaid == "89.90"))
    assert "{" not in notice.body + notice.subject


@pytest.mark.parametrize(
    "bill",
    [
        issued_bill("0.00", "0.00", "paid"),
        issued_bill("-12.50", "0.00", "credit"),
        issued_bill("79.90", "79.90", "cancelled"),
    ],
)
def test_nothing_is_announced_of_zero_credit_and_cancelled_bills(announcer: BillAnnouncer, bill: Bill) -> None:
    assert announcer.build_notices(bill, HOLDER, Preference(), NOW) == ()


@pytest.mark.parametrize(
    ("operator", "segment", "since", "routes"),
    [
        ("tunisie-telecom", "business", date(2020, 1, 1), 0),
        ("maroc-telecom", "business", date(2020, 1, 1), 0),
        ("maroc-telecom", "residential", date(2026, 3, 10), 0),
        ("maroc-telecom", "residential", date(2020, 1, 1), 1),
        ("orange-ro", "business", date(2026, 3, 10), 1),
    ],
)
def test_lines_that_the_menus_refuse_are_not_told(
    operator: str, segment: Literal["business", "residential"], since: date, routes: int
) -> None:
    menu = pack_compiler.compile_pack(pack_compiler.pack_folder(operator))
    announcer = BillAnnouncer(menu, Pseudonyms(b"a key for the tests"))
    holder = replace(HOLDER, operator=operator, segment=segment, since=since)
    assert len(announcer.build_notices(issued_bill("79.90", "79.90"), holder, Preference(), NOW)) == routes


@pytest.mark.parametrize(
    ("chosen", "holder", "routes"),
    [
        (Preference(), {}, ["sms"]),
        (Preference(notify="email"), {}, ["email"]),
        (Preference(notify="both"), {}, ["email", "sms"]),
        (Preference(notify="email", email="new@example.test"), {}, ["sms"]),
        (Preference(notify="both", email="new@example.test"), {}, ["sms"]),
        (Preference(notify="email"), {"email_validated": False}, ["sms"]),
        (Preference(), {"kind": "fixed"}, ["email"]),
        (Preference(), {"kind": "fixed", "email_validated": False}, []),
    ],
)
def test_notices_use_the_chosen_channel_and_never_an_unconfirmed_address(
    chosen: Preference, holder: dict[str, Any], routes: list[str]
) -> None:
    assert [route for route, _ in notice_routes(replace(HOLDER, **holder), chosen)] == routes
