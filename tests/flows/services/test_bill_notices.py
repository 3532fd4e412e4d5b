"""Bill notices: what is said of a bill, to whom, and by which route."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import pytest

from flows.domain.bill_mail import BillMail
from flows.domain.pseudonyms import Pseudonyms
from flows.domain.records import Bill, BillState, Preference, Subscriber
from flows.services.bill_notices import BillAnnouncer, notice_routes
from tests.support.billing.backends import OPERATOR
from tests.support.databases import NOW
from tests.support.shipped_packs import shipped_menu

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
    menu = shipped_menu(OPERATOR)
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


@pytest.mark.parametrize("notify", ["sms", "email"])
@pytest.mark.parametrize("remaining", ["79.90", "39.90"])
def test_a_bill_announced_after_its_last_day_is_said_to_be_late(
    announcer: BillAnnouncer, notify: Literal["sms", "email"], remaining: str
) -> None:
    bill = issued_bill("79.90", remaining, "overdue")
    preference = Preference(language="en", notify=notify)
    [on_the_day] = announcer.build_notices(bill, HOLDER, preference, NOW.replace(day=24))
    [late] = announcer.build_notices(bill, HOLDER, preference, NOW.replace(day=25))
    assert f"{remaining} lei was due by 24 Mar 2026" in late.body and "to be paid by" not in late.body
    assert "to be paid by" in on_the_day.body and late.key == on_the_day.key


@pytest.mark.parametrize(
    ("bill", "said"),
    [
        (issued_bill("0.00", "0.00", "paid"), "nothing to pay"),
        (issued_bill("-12.50", "0.00", "credit"), "credit note of 12.50"),
        (issued_bill("79.90", "79.90", "cancelled"), "cancelled"),
    ],
)
@pytest.mark.parametrize("notify", ["sms", "email"])
def test_zero_credit_and_cancelled_bills_ask_for_no_payment(
    announcer: BillAnnouncer, bill: Bill, said: str, notify: Literal["sms", "email"]
) -> None:
    [notice] = announcer.build_notices(bill, HOLDER, Preference(language="en", notify=notify), NOW)
    assert said in notice.body and not any(each in notice.body for each in ("to be paid", "79.90", "-12"))


def test_a_bill_cancelled_after_it_was_announced_is_told_again(announcer: BillAnnouncer) -> None:
    bills = [issued_bill("79.90", "79.90", state) for state in ("due", "overdue", "cancelled")]
    due, overdue, cancelled = (
        announcer.build_notices(bill, HOLDER, Preference(), NOW)[0].key for bill in bills
    )
    assert due == overdue != cancelled


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
    menu = shipped_menu(operator)
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


@pytest.fixture(scope="module")
def sending_announcer() -> BillAnnouncer:
    """Provide the announcer of Tunisie Telecom, where the gateway sends the bills."""
    menu = shipped_menu("tunisie-telecom")
    return BillAnnouncer(menu, Pseudonyms(b"a key for the tests"))


E_BILL_HOLDER = replace(HOLDER, operator="tunisie-telecom", media="email", language="fr")


@pytest.mark.parametrize("notify", ["", "sms", "email", "both"])
def test_T9_the_bill_goes_by_email_whatever_was_chosen_for_the_notices(
    sending_announcer: BillAnnouncer, notify: Literal["", "sms", "email", "both"]
) -> None:
    bill = issued_bill("45.230", "45.230")
    mail, *others = sending_announcer.build_notices(bill, E_BILL_HOLDER, Preference(notify=notify), NOW)
    assert isinstance(mail, BillMail) and mail.enclosure.bill_id == bill.id and not mail.enclosure.is_link
    assert [each.route for each in others] == ([] if notify == "email" else ["sms"])


def test_a_paper_customer_and_a_cancelled_bill_get_no_document(sending_announcer: BillAnnouncer) -> None:
    chosen, bill = Preference(notify="email"), issued_bill("45.230", "45.230")
    paper = sending_announcer.build_notices(bill, replace(E_BILL_HOLDER, media="paper"), chosen, NOW)
    void = sending_announcer.build_notices(replace(bill, state="cancelled"), E_BILL_HOLDER, chosen, NOW)
    assert [len(paper), len(void)] == [1, 1] and not isinstance(paper[0], BillMail)
    assert not isinstance(void[0], BillMail)


def test_an_unconfirmed_address_gets_no_bill(sending_announcer: BillAnnouncer) -> None:
    holder = replace(E_BILL_HOLDER, email_validated=False)
    notices = sending_announcer.build_notices(issued_bill("45.230", "45.230"), holder, Preference(), NOW)
    assert [each.route for each in notices] == ["sms"]


def test_B10_where_billing_sends_the_bill_the_mail_says_that_it_only_announces_it(
    announcer: BillAnnouncer,
) -> None:
    chosen, bill = Preference(language="en", notify="email"), issued_bill("79.90", "79.90")
    [mail] = announcer.build_notices(bill, replace(HOLDER, media="email"), chosen, NOW)
    assert not isinstance(mail, BillMail) and "only announces the bill" in mail.body


@pytest.mark.parametrize("kind", ["mobile", "fixed"])
def test_R4_the_number_chosen_for_notices_gets_them(kind: str) -> None:
    chosen = Preference(notify="sms", notify_number="+40740000105")
    holder = replace(HOLDER, kind=kind)  # type: ignore[arg-type]
    assert list(notice_routes(holder, chosen)) == [("sms", "+40740000105")]
