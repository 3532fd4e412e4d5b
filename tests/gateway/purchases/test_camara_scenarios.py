"""Runs the published scenarios of CAMARA carrier billing against the gateway; names those that do not apply."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from flows.domain.purchase_records import PolicyChange
from gateway.purchases import camara_errors
from tests.gateway.purchases.camara_merchant import (
    FIRM,
    FIRST_STEPS,
    GAMES_TOKEN,
    LUC,
    NARROW_TOKEN,
    SINK,
    SLOW_TOKEN,
    Merchant,
    open_merchant,
    sink_credential,
)
from tests.gateway.purchases.camara_scenarios import (
    FEATURES,
    Scenario,
    published_codes,
    read_scenarios,
    required_fields,
)
from tests.support.gateway_sandbox import SandboxFactory

NOT_APPLICABLE = {
    "async_behaviour": "every answer is the decision itself",
    "amountTransaction_phoneNumber_three_legged": "tokens are the merchant's, not a phone number's",
    "phoneNumber_three_legged": "likewise",
    "unnecessary_phone_number": "likewise",
    "phoneNumber_required": "its code is not in the description, which has MISSING_IDENTIFIER",
}
"""Scenarios that do not apply, and why."""
NOT_APPLICABLE_LATER = {
    "phone_number_not_supported": "a payment is of a line that was supported when it was prepared",
}
"""Scenarios that do not apply to the second step of a payment."""
OTHER_CODES = {
    "CARRIER_BILLING.AMOUNT_THRESHOLD_OVERPASSED": "CARRIER_BILLING.USER_AMOUNT_THRESHOLD_OVERPASSED"
}
"""Codes that the scenarios write otherwise than the description, which is followed."""


def put(merchant: Merchant, path: str, value: Any) -> None:
    *parents, last = path.removeprefix("$.").split(".")
    place = merchant.body
    for name in parents:
        place = place[name]
    place[last] = value


def drop(merchant: Merchant, path: str) -> None:
    *parents, last = path.removeprefix("$.").split(".")
    place = merchant.body
    for name in parents:
        place = place[name]
    del place[last]


CHARGING = "$.amountTransaction.paymentAmount.chargingInformation"
ITEM = {"id": "i-1", "amount": 0.5, "currency": "EUR", "description": "Zone 2"}
Arrange = Callable[[Merchant, Scenario], Awaitable[None]]


def setting(path: str, value: Any) -> Arrange:
    async def arrange(merchant: Merchant, scenario: Scenario) -> None:
        put(merchant, path, value)

    return arrange


async def as_default(merchant: Merchant, scenario: Scenario) -> None:
    """Leave the default request as it is."""


def whole_body(body: Any) -> Arrange:
    async def arrange(merchant: Merchant, scenario: Scenario) -> None:
        merchant.body = body

    return arrange


def with_token(token: str) -> Arrange:
    async def arrange(merchant: Merchant, scenario: Scenario) -> None:
        merchant.token = token

    return arrange


async def expired_token(merchant: Merchant, scenario: Scenario) -> None:
    merchant.token = await merchant.fetch_token()
    merchant.sandbox.clock.advance(timedelta(hours=1))


async def wrong_correlator(merchant: Merchant, scenario: Scenario) -> None:
    merchant.headers = {"x-correlator": "not allowed!"}


async def repeated_correlator(merchant: Merchant, scenario: Scenario) -> None:
    made = await merchant.make_payment("preparePayment")
    put(merchant, "$.amountTransaction.clientCorrelator", made["amountTransaction"]["clientCorrelator"])


async def repeated_reference(merchant: Merchant, scenario: Scenario) -> None:
    drop(merchant, "$.amountTransaction.clientCorrelator")
    assert (await merchant.send(scenario.operation))[0] == 201


def number(value: str | None) -> Arrange:
    async def arrange(merchant: Merchant, scenario: Scenario) -> None:
        path = "$.amountTransaction.phoneNumber" if scenario.operation in FIRST_STEPS else "$.phoneNumber"
        if value is None:
            merchant.body["kept"] = "so that it is not empty"
            drop(merchant, path)
        else:
            put(merchant, path, value)

    return arrange


async def denied(merchant: Merchant, scenario: Scenario) -> None:
    """Buy from a blocked category; or confirm what waits for the subscriber's code."""
    if scenario.operation in FIRST_STEPS:
        merchant.token = GAMES_TOKEN
    else:
        merchant.payment = (await merchant.make_payment("preparePayment", 12.0))["paymentId"]


async def over_threshold(merchant: Merchant, scenario: Scenario) -> None:
    policies = merchant.sandbox.container.operators["bouygues"].policies
    now, cap = merchant.sandbox.clock(), Decimal("0.40")
    assert policies
    await policies.change_policy(
        PolicyChange("lower", "bouygues", "bouygues-33660000101", now, monthly_cap=cap)
    )


async def too_many(merchant: Merchant, scenario: Scenario) -> None:
    merchant.token = SLOW_TOKEN
    await Merchant(merchant.sandbox, merchant.client, merchant.url, token=SLOW_TOKEN, payment="0" * 32).send(
        "retrievePayment"
    )


def unknown_payment(merchant: Merchant) -> None:
    merchant.payment = "0" * 32


async def not_found(merchant: Merchant, scenario: Scenario) -> None:
    unknown_payment(merchant)


async def confirmed(merchant: Merchant, scenario: Scenario) -> None:
    assert (await merchant.send("confirmPayment"))[0] == 202


async def cancelled(merchant: Merchant, scenario: Scenario) -> None:
    assert (await merchant.send("cancelPayment"))[0] == 202


async def with_sink_and_token(merchant: Merchant, scenario: Scenario) -> None:
    ends = (merchant.sandbox.clock() + timedelta(hours=1)).isoformat()
    merchant.body |= {"sink": SINK, "sinkCredential": sink_credential(ends)}


async def exhausted(merchant: Merchant, scenario: Scenario) -> None:
    merchant.body["code"] = "000000"
    for _ in range(9):
        await merchant.send("validatePayment")


async def missing_example(merchant: Merchant, scenario: Scenario) -> None:
    drop(merchant, scenario.example)


async def broken_example(merchant: Merchant, scenario: Scenario) -> None:
    put(merchant, scenario.example, 7)


ARRANGE: dict[str, Arrange] = {
    "generic_success_scenario": as_default,
    "generic_success_scenario_with_sink_information": setting("$.sink", SINK),
    "generic_success_scenario_with_sink_and_sinkCredential_information": with_sink_and_token,
    "amountTransaction_gross_amount": setting(f"{CHARGING}.isTaxIncluded", value=True),
    "amountTransaction_net_amount": setting(f"{CHARGING}.isTaxIncluded", value=False),
    "amountTransaction_taxAmount": setting(f"{CHARGING}.taxAmount", 0.1),
    "amountTransaction_merchantIdentifier": setting(
        "$.amountTransaction.paymentAmount.chargingMetaData", {"merchantIdentifier": "m-1"}
    ),
    "amountTransaction_paymentDetails": setting("$.amountTransaction.paymentAmount.paymentDetails", [ITEM]),
    "amountTransaction_clientCorrelator": as_default,
    "amountTransaction_phoneNumber_two_legged": as_default,
    "phoneNumber_two_legged": as_default,
    "sync_behaviour": as_default,
    "sync_behaviour_without_validation_info": as_default,
    "sync_behaviour_with_validation_info": setting(f"{CHARGING}.amount", 12.0),
    "no_request_body": whole_body(None),
    "empty_request_body": whole_body({}),
    "other_input_properties_schema_not_compliant": broken_example,
    "required_input_properties_missing": missing_example,
    "clientCorrelator_in_use": repeated_correlator,
    "payment_duplicated": repeated_reference,
    "invalid_sink": setting("$.sink", "nowhere"),
    "invalid_sinkCredential": setting("$.sinkCredential", {"credentialType": "PLAIN"}),
    "invalid_sinkCredential_Acccestoken": setting(
        "$.sinkCredential", {"credentialType": "ACCESSTOKEN", "accessTokenType": "basic"}
    ),
    "invalid_x-correlator": wrong_correlator,
    "phone_number_not_schema_compliant": number("0660000101"),
    "phone_number_not_found": number("+33660000999"),
    "missing_phone_number": number(None),
    "phone_number_not_supported": number(FIRM),
    "no_authorization_header": with_token(""),
    "expired_access_token": expired_token,
    "invalid_token_permissions": with_token(NARROW_TOKEN),
    "invalid_access_token": with_token("nonsense"),
    "payment_denied": denied,
    "unauthorized_amount": setting(f"{CHARGING}.amount", 50.01),
    "accumulated_threshold_amount_overpassed": over_threshold,
    "Too_Many_Requests": too_many,
    "payment_not_found": not_found,
    "payment_confirmed": confirmed,
    "payment_cancelled": cancelled,
    "invalid_authorizationId": setting("$.authorizationId", "another"),
    "invalid_code": setting("$.code", "000000"),
    "exceeding_validation_attempts": exhausted,
}
"""What each scenario changes of the default request, by its name without the numbers."""
LAST = ("accumulated_threshold_amount_overpassed", "exceeding_validation_attempts")
"""Scenarios after which the line buys no more."""


def applies(scenario: Scenario) -> bool:
    later = scenario.operation not in FIRST_STEPS and scenario.kind in NOT_APPLICABLE_LATER
    return scenario.kind not in NOT_APPLICABLE and not later


async def run_scenario(merchant: Merchant, scenario: Scenario) -> None:
    await merchant.prepare_default(scenario.operation)
    await ARRANGE[scenario.kind](merchant, scenario)
    status, headers, got = await merchant.send(scenario.operation)
    about = (scenario.operation, scenario.name, scenario.example, status, got)
    assert status == scenario.status, about
    if scenario.code:
        assert got["status"] == status and got["message"], about
        assert got["code"] == OTHER_CODES.get(scenario.code, scenario.code), about
    if scenario.schema:
        assert set(required_fields(scenario.schema)) <= got.keys(), about
        assert got["amountTransaction"]["phoneNumber"] == LUC
        if scenario.operation in FIRST_STEPS:
            assert got["amountTransaction"] == merchant.body["amountTransaction"], about
    if scenario.payment_status:
        assert got["paymentStatus"] == scenario.payment_status, about
    if "x-correlator" not in scenario.kind:
        assert headers["x-correlator"] == "x-1", about


@pytest.mark.parametrize("feature", FEATURES, ids=lambda path: path.stem)
async def test_the_published_scenarios_that_apply_hold(feature: Path, sandboxes: SandboxFactory) -> None:
    scenarios = [each for each in read_scenarios(feature) if applies(each)]
    assert len(scenarios) >= 7
    async with open_merchant(sandboxes) as merchant:
        for scenario in sorted(scenarios, key=lambda each: each.kind in LAST):
            fresh = Merchant(merchant.sandbox, merchant.client, merchant.url)
            await run_scenario(fresh, scenario)
            if scenario.kind == "Too_Many_Requests":
                continue


def test_every_published_scenario_is_run_or_named_as_not_applying() -> None:
    kinds = {each.kind for feature in FEATURES for each in read_scenarios(feature)}
    assert kinds == ARRANGE.keys() | NOT_APPLICABLE.keys()
    assert not ARRANGE.keys() & NOT_APPLICABLE.keys()


def test_every_error_is_in_the_published_description() -> None:
    ours = {value[1] for value in vars(camara_errors).values() if isinstance(value, tuple)}
    ours |= {value[1] for value in camara_errors.DENIAL_ERRORS.values()}
    assert ours - published_codes() == {"UNAVAILABLE"}  # of the rules common to these interfaces
