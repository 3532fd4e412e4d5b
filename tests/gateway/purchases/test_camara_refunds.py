"""Runs the published scenarios of CAMARA carrier billing refund; names those that do not apply."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.purchases.camara_merchant import GAMES_TOKEN, Merchant, open_merchant, refund_of
from tests.gateway.purchases.camara_scenarios import (
    REFUND_FEATURES,
    Scenario,
    read_scenarios,
    required_fields,
)
from tests.gateway.purchases.test_camara_scenarios import (
    ARRANGE,
    Arrange,
    as_default,
    drop,
    not_found,
    setting,
)
from tests.support.gateway_sandbox import SandboxFactory

NOT_APPLICABLE = {
    "async_behaviour": "every answer is the decision itself",
    "total_refund_in_progress": "likewise",
    "total_refund_denied": "likewise",
    "partial_refund_in_progress": "likewise",
    "partial_refund_denied": "likewise",
    "refund_denied": "nothing within what was charged is denied",
    "accumulated_threshold_amount_overpassed": "no law limits what is given back",
    "inconsistent_tax_management": "payments are stored tax included; a net refund is added to its tax",
    "inconsistent_refund_details": "the items of a payment are not stored",
    "for_phoneNumber": "tokens are the merchant's, not a phone number's",
    "merchantIdentifier": "a merchant has a name and a token of its own",
    "too_many_matching_records": "a page has 100 refunds at most",
}
"""Scenarios that do not apply, and why."""
CHARGING = "$.amountTransaction.refundAmount.chargingInformation"
ITEM = {"paymentItemId": "i-1", "amount": 0.1, "currency": "EUR", "description": "Zone 2"}


async def total(merchant: Merchant, scenario: Scenario) -> None:
    merchant.body |= {"type": "total"}
    merchant.body["amountTransaction"]["refundAmount"] = {}


async def repeated_correlator(merchant: Merchant, scenario: Scenario) -> None:
    assert (await merchant.send("createRefund"))[0] == 201


async def repeated_reference(merchant: Merchant, scenario: Scenario) -> None:
    drop(merchant, "$.amountTransaction.clientCorrelator")
    assert (await merchant.send("createRefund"))[0] == 201


async def given_back(merchant: Merchant, scenario: Scenario) -> None:
    await merchant.make_refund(0.5)


async def only_reserved(merchant: Merchant, scenario: Scenario) -> None:
    merchant.payment = (await merchant.make_payment("preparePayment"))["paymentId"]


async def unknown_refund(merchant: Merchant, scenario: Scenario) -> None:
    merchant.refund = "0" * 32


async def several(merchant: Merchant, scenario: Scenario) -> None:
    """Make six refunds over a month, then ask as the example says."""
    merchant.payment = (await merchant.make_payment("createPayment"))["paymentId"]
    for _ in range(6):
        await merchant.make_refund(0.05)
        merchant.sandbox.clock.advance(timedelta(minutes=1))


def asking(query: str) -> Arrange:
    async def arrange(merchant: Merchant, scenario: Scenario) -> None:
        await several(merchant, scenario)
        now, week = merchant.sandbox.clock(), timedelta(days=7)
        times = {"now": now, "before": now - week}
        merchant.query = "?" + query.format(
            example=scenario.example, **{name: f"{each:%Y-%m-%dT%H:%M:%SZ}" for name, each in times.items()}
        )

    return arrange


REFUND_ARRANGE: Mapping[str, Arrange] = {
    **{
        name: ARRANGE[name]
        for name in (
            "generic_success_scenario_with_sink_information",
            "generic_success_scenario_with_sink_and_sinkCredential_information",
            *("generic_success_scenario", "no_request_body", "empty_request_body", "sync_behaviour"),
            *("other_input_properties_schema_not_compliant", "required_input_properties_missing"),
            *("invalid_sink", "invalid_sinkCredential", "invalid_sinkCredential_Acccestoken"),
            *("invalid_x-correlator", "no_authorization_header", "expired_access_token"),
            *("invalid_access_token", "invalid_token_permissions", "Too_Many_Requests"),
        )
    },
    "total_refund": total,
    "partial_refund_amountTransaction_gross_amount": setting(f"{CHARGING}.isTaxIncluded", value=True),
    "partial_refund_amountTransaction_net_amount": setting(f"{CHARGING}.isTaxIncluded", value=False),
    "partial_refund_amountTransaction_taxAmount": setting(f"{CHARGING}.taxAmount", 0.02),
    "amountTransaction_merchantIdentifier": setting(
        "$.amountTransaction.refundAmount.chargingMetaData", {"merchantIdentifier": "m-1"}
    ),
    "partial_refund_amountTransaction_refundDetails": setting(
        "$.amountTransaction.refundAmount.refundDetails", [ITEM]
    ),
    "amountTransaction_clientCorrelator": as_default,
    "reason": setting("$.reason", "Left early"),
    "clientCorrelator_in_use": repeated_correlator,
    "refund_duplicated": repeated_reference,
    "payment_not_eligible_for_refund": given_back,
    "payment_not_found": not_found,
    "unauthorized_amount": setting(f"{CHARGING}.amount", 0.51),
    "payment_invalid_status": only_reserved,
    "refund_not_found": unknown_refund,
    "no_refunds": as_default,
    "for_application": several,
    "start_creationDate": asking("refundCreationDate.gte={before}"),
    "end_creationDate": asking("refundCreationDate.lte={before}"),
    "date_range": asking("refundCreationDate.gte={before}&refundCreationDate.lte={now}"),
    "ordering": asking("order={example}"),
    "refund_status": asking("refundStatus={example}"),
    "pagination": asking("page=1&perPage=5"),
    "invalid_date_range": asking("refundCreationDate.gte={now}&refundCreationDate.lte={before}"),
    "out_of_range": asking("page=1000&perPage=1000"),
    "total_refund_succeeded": given_back,
    "partial_refund_succeeded": as_default,
}
"""What each scenario changes of the default request, by its name without the numbers."""
LISTED = {"end_creationDate": 0, "pagination": 5, "no_refunds": 0}
"""Refunds listed in a scenario; 6 in the others that ask for several."""


async def run_scenario(merchant: Merchant, scenario: Scenario) -> None:
    await merchant.prepare_default(scenario.operation)
    await REFUND_ARRANGE[scenario.kind](merchant, scenario)
    status, headers, got = await merchant.send(scenario.operation)
    about = (scenario.operation, scenario.name, scenario.example, status, got)
    assert status == scenario.status, about
    if scenario.code:
        code = scenario.code.replace("REFUND.OUT_OF_RANGE", "OUT_OF_RANGE").replace(
            "CARRIER_BILLING_OUT", "OUT"
        )
        assert got["message"] and got["code"] == code, about
    if scenario.schema == "Refund":
        assert set(required_fields("Refund")) <= got.keys() and got["refundStatus"] == "succeeded", about
    if scenario.operation == "createRefund" and status == 201:
        sent = merchant.body["amountTransaction"]
        assert got["amountTransaction"] == sent and got.get("reason") == merchant.body.get("reason"), about
    if scenario.operation == "retrieveRefunds" and status == 200 and merchant.query:
        is_none = scenario.kind == "refund_status" and scenario.example != "succeeded"
        assert len(got) == (0 if is_none else LISTED.get(scenario.kind, 6)), about
        dates = [each["refundCreationDate"] for each in got]
        assert dates == sorted(dates, reverse="order=asc" not in merchant.query), about
    if "x-correlator" not in scenario.kind:
        assert headers["x-correlator"] == "x-1", about


@pytest.mark.parametrize("feature", REFUND_FEATURES, ids=lambda path: path.stem)
async def test_the_published_refund_scenarios_that_apply_hold(feature: Path, sandboxes: SandboxFactory) -> None:
    scenarios = [each for each in read_scenarios(feature) if each.kind not in NOT_APPLICABLE]
    assert len(scenarios) >= 7
    async with open_merchant(sandboxes) as merchant:
        for scenario in scenarios:
            await run_scenario(Merchant(merchant.sandbox, merchant.client, merchant.url), scenario)


def test_every_refund_scenario_is_run_or_named_as_not_applying() -> None:
    kinds = {each.kind for feature in REFUND_FEATURES for each in read_scenarios(feature)}
    assert kinds == REFUND_ARRANGE.keys() | NOT_APPLICABLE.keys()
    assert not REFUND_ARRANGE.keys() & NOT_APPLICABLE.keys()


async def test_what_is_left_falls_and_the_line_is_told(sandboxes: SandboxFactory) -> None:
    async with open_merchant(sandboxes) as merchant:
        paid: dict[str, Any] = await merchant.make_payment("createPayment")
        merchant.payment = paid["paymentId"]
        await merchant.sandbox.messages.collect_new()
        await merchant.make_refund(0.2)
        left = (await merchant.send("retrievePaymentRemainingAmount"))[2]
        assert (left["amount"], left["currency"], left["isTaxIncluded"]) == (0.3, "EUR", True)
        (told,) = await merchant.sandbox.messages.collect_new()
        assert "0,20 €" in told.body and "vous sont rendus" in told.body
        after = (await merchant.send("retrievePayment"))[2]
        assert after["paymentDate"] == paid["paymentDate"]


async def test_another_merchants_payment_is_not_refunded(sandboxes: SandboxFactory) -> None:
    async with open_merchant(sandboxes) as merchant:
        merchant.payment = (await merchant.make_payment("createPayment"))["paymentId"]
        merchant.token, merchant.body = GAMES_TOKEN, refund_of()
        for operation in ("createRefund", "retrieveRefunds", "retrievePaymentRemainingAmount"):
            assert (await merchant.send(operation))[0] == 404
