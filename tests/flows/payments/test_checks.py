"""Payment state rules: steps lead forward only, and what is not as agreed is named."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args

import pytest

from flows.domain.payment_records import PaymentReport, PaymentState
from flows.payments.checks import DECIDED, FORWARD, NO_MONEY_SEEN, find_mismatch
from tests.support.payment_intents import PAYMENT_INTENT

NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)
STATES: tuple[PaymentState, ...] = get_args(PaymentState)
REPORT = PaymentReport("paid", "a" * 32, "s-1", Decimal("79.90"), "RON")
INTENT = replace(PAYMENT_INTENT, id="a" * 32, operator="orange-ro", amount=Decimal("79.90"), currency="RON")


def reachable(state: PaymentState) -> set[PaymentState]:
    found, waiting = set[PaymentState](), [state]
    while waiting:
        new = FORWARD[waiting.pop()] - found
        found |= new
        waiting += new
    return found


@pytest.mark.parametrize("state", STATES)
def test_money_that_was_seen_ends_booked_or_given_back(state: PaymentState) -> None:
    if state in DECIDED:
        assert not reachable(state) & {"confirmed", "pending", "failed", "expired"}
    assert {"booked", "refunded"} & (reachable(state) | {state})


def test_a_success_leads_out_of_every_state_without_money() -> None:
    assert all("succeeded" in FORWARD[state] for state in NO_MONEY_SEEN)
    assert set(STATES) == {*NO_MONEY_SEEN, *DECIDED}


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({}, ""),
        ({"currency": "ron"}, ""),
        ({"amount": Decimal("79.9000")}, ""),
        ({"amount": Decimal("79.89")}, "amount"),
        ({"amount": Decimal("799.0")}, "amount"),
        ({"currency": "EUR"}, "currency"),
        ({"intent_id": "b" * 32}, "intent"),
        ({"intent_id": ""}, "intent"),
        ({"reference": "s-2"}, "intent"),
        ({"is_test": True}, "test"),
    ],
    ids=str,
)
def test_what_is_not_as_agreed_is_named(changed: dict[str, Any], fault: str) -> None:
    assert find_mismatch(INTENT, replace(REPORT, **changed)) == fault
