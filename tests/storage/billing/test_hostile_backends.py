"""Hostile back ends: whatever a BSS does with filters, pages and owners, nobody sees anybody else's data."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from flows.domain.failures import NotFound
from flows.domain.ports import Billing, BillingCycles
from gateway.demo.bss.fault_modes import BSS_FAULTS
from storage.billing._client.ownership import OwnershipClaim, number_digits, select_holder, select_owner
from tests.support.billing.backends import LONG_TIMEOUTS, build_book, open_backend

ANA, BARBU = "+40740000101", "+40740000102"
TODAY = date(2026, 3, 10)
MARCH = (date(2026, 3, 1), date(2026, 3, 31))
REMOTE_BACKENDS = ["tmf678-v4", "tmf678-v5", "killbill"]
SPOILT_BILLS = ("no_amounts", "other_currency")
"""Faults that make the oldest bill of an account unusable."""
HARMLESS_FAULTS = [each for each in BSS_FAULTS if each not in ("two_owners", *SPOILT_BILLS)]


async def everything_shown(billing: Billing) -> dict[str, Any]:
    """Return all that a caller and the billing day get to see."""
    ana = await billing.get_subscriber(ANA)
    bills = await billing.list_bills(ana.account, 24)
    assert isinstance(billing, BillingCycles)
    cycle = [page async for page in billing.list_issued_bills(*MARCH)]
    return {
        "subscriber": ana,
        "bills": bills,
        "lines": [await billing.list_bill_lines(ana.account, each.id) for each in bills],
        "media": await billing.get_media(ana.account),
        "holder": await billing.get_account_holder(ana.account),
        "document": await document_of(billing, ana.account, bills[0].id),
        "cycle": sorted((holder.msisdn, bill.total) for page in cycle for bill, holder in page),
        "rejected": [each for page in cycle for each in page.rejected],
    }


async def document_of(billing: Billing, account: str, bill_id: str) -> str:
    """Return the hash of a bill's document; empty where there is none."""
    try:
        return (await billing.get_document(account, bill_id)).sha256
    except NotFound:
        return ""


async def shown_by(name: str, folder: Path, *faults: str) -> dict[str, Any]:
    kept = build_book()
    kept.faults |= set(faults)
    async with open_backend(name, folder, kept, lambda: TODAY, {**LONG_TIMEOUTS, "currency": "RON"}) as billing:
        return await everything_shown(billing)


@pytest.mark.parametrize("fault", HARMLESS_FAULTS)
@pytest.mark.parametrize("name", REMOTE_BACKENDS)
async def test_a_fault_of_the_bss_changes_nothing_that_is_shown(name: str, fault: str, tmp_path: Path) -> None:
    assert await shown_by(name, tmp_path, fault) == await shown_by(name, tmp_path)


@pytest.mark.parametrize("fault", SPOILT_BILLS)
@pytest.mark.parametrize("name", REMOTE_BACKENDS)
async def test_an_unusable_old_bill_is_all_that_is_missing(name: str, fault: str, tmp_path: Path) -> None:
    sound, spoilt = await shown_by(name, tmp_path), await shown_by(name, tmp_path, fault)
    assert spoilt["bills"] == sound["bills"][:-1] and spoilt["lines"] == sound["lines"][:-1]
    assert len(spoilt["cycle"]) + len(spoilt["rejected"]) == len(sound["cycle"])


@pytest.mark.parametrize("name", REMOTE_BACKENDS)
async def test_all_faults_of_the_bss_at_once_change_nothing(name: str, tmp_path: Path) -> None:
    faults = {"no_filter", "no_sort", "no_count", "past_end_404", "empty_204", "ended_first"}
    assert await shown_by(name, tmp_path, *faults) == await shown_by(name, tmp_path)


@pytest.mark.parametrize("name", REMOTE_BACKENDS)
async def test_a_number_of_two_accounts_is_nobodys_and_an_alert(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = build_book()
    kept.faults.add("two_owners")
    async with open_backend(name, tmp_path, kept, lambda: TODAY, LONG_TIMEOUTS) as billing:
        with pytest.raises(NotFound):
            await billing.get_subscriber(ANA)
    assert "billing.ambiguous_owner" in caplog.messages and "40740000101" not in caplog.text


async def test_in_memory_too_a_number_of_two_accounts_is_nobodys(tmp_path: Path) -> None:
    kept = build_book()
    kept.rows.people.append({**kept.rows.people[0], "id": "again", "account": "another"})
    async with open_backend("memory", tmp_path, kept, lambda: TODAY) as billing:
        with pytest.raises(NotFound):
            await billing.get_subscriber(ANA)


@pytest.mark.parametrize("name", REMOTE_BACKENDS)
async def test_an_ignored_filter_is_an_alert_without_a_number(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await shown_by(name, tmp_path, "no_filter")
    assert "billing.foreign_records" in caplog.messages and "40740000" not in caplog.text


def owner_claim(account: str, number: str = ANA, **more: Any) -> OwnershipClaim[str]:
    return OwnershipClaim(account, frozenset([account]), frozenset([number_digits(number)]), **more)


@pytest.mark.parametrize(
    "former",
    [
        *(
            {"status": word}
            for word in ("terminated", "Cancelled", "ABORTED", "EXPIRED", "pendingActive", "created")
        ),
        {"ends": TODAY},
        {"ends": date(2020, 1, 1)},
        {"starts": date(2026, 3, 11)},
    ],
)
def test_an_ended_or_future_subscription_owns_no_number(former: dict[str, Any]) -> None:
    claims = [owner_claim("OLD", **former), owner_claim("NEW", status="active", starts=date(2024, 1, 1))]
    assert select_owner(claims, ANA, TODAY) == "NEW"
    with pytest.raises(NotFound):
        select_owner(claims[:1], ANA, TODAY)
    with pytest.raises(NotFound):
        select_holder(claims[:1], "OLD", TODAY)


@pytest.mark.parametrize(
    "going_on", [{}, {"status": "suspended"}, {"status": "pendingTerminate"}, {"status": "BLOCKED"}]
)
def test_a_subscription_that_goes_on_owns_its_number(going_on: dict[str, Any]) -> None:
    assert select_owner([owner_claim("A", **going_on)], ANA, TODAY) == "A"


def test_a_record_that_names_another_number_or_none_is_not_used() -> None:
    unnamed = OwnershipClaim("U", frozenset(["U"]), frozenset[str]())
    both = OwnershipClaim("B", frozenset(["B"]), frozenset(map(number_digits, (ANA, BARBU))))
    with pytest.raises(NotFound):
        select_owner([unnamed, both, owner_claim("X", BARBU)], ANA, TODAY)
    assert select_owner([unnamed, both, owner_claim("X", BARBU), owner_claim("A")], ANA, TODAY) == "A"


def test_an_accounts_holder_is_its_oldest_current_line() -> None:
    lines = [
        owner_claim("A", BARBU, starts=date(2024, 1, 1)),
        owner_claim("A", ANA, starts=date(2020, 1, 1)),
        owner_claim("X", "+40740000109", starts=date(2010, 1, 1)),
    ]
    assert select_holder(lines, "A", TODAY) == "A" and select_holder(lines[1:], "A", TODAY) == "A"
    with pytest.raises(NotFound):
        select_holder(lines[2:], "A", TODAY)


@pytest.mark.parametrize(
    ("spelt", "digits"),
    [
        (ANA, "40740000101"),
        ("0040740000101", "40740000101"),
        ("tel:+40-740 000.101", "40740000101"),
        ("40740000101", "40740000101"),
        ("circuit-7", ""),
        ("", ""),
        (None, ""),
        (True, ""),
    ],
)
def test_a_number_is_compared_by_its_digits(spelt: object, digits: str) -> None:
    assert number_digits(spelt) == digits
