"""The endpoint of merchants beyond the published scenarios: faults, other merchants, lists, tokens."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.demo.faulty_billing import inject_faults
from gateway.purchases.merchant_settings import PurchaseSettings
from tests.gateway.purchases.camara_merchant import GAMES_TOKEN, LUC, Merchant, open_merchant, transaction
from tests.support.databases import count_rows
from tests.support.gateway_sandbox import SandboxFactory


@pytest.fixture
async def merchant(sandboxes: SandboxFactory) -> AsyncIterator[Merchant]:
    async with open_merchant(sandboxes) as opened:
        yield opened


def again(merchant: Merchant, **other: Any) -> Merchant:
    return Merchant(merchant.sandbox, merchant.client, merchant.url, **other)


async def charges_stored(merchant: Merchant) -> int:
    return await count_rows(merchant.sandbox.container.database, "purchase_charges")


@pytest.mark.parametrize("state", ["down", "slow"])
async def test_nothing_is_charged_while_billing_does_not_answer(merchant: Merchant, state: str) -> None:
    before = await charges_stored(merchant)
    inject_faults(merchant.sandbox.container.operators["bouygues"]).set_state(state)
    status, _, body = await again(merchant, body=transaction()).send("createPayment")
    assert (status, body["code"]) == (503, "UNAVAILABLE")
    assert await charges_stored(merchant) == before


async def test_another_merchants_payment_is_like_none(merchant: Merchant) -> None:
    made = await merchant.make_payment("preparePayment")
    for operation in ("retrievePayment", "confirmPayment", "cancelPayment"):
        other = again(merchant, token=GAMES_TOKEN, payment=made["paymentId"], body={"phoneNumber": LUC})
        assert (await other.send(operation))[0] == 404


async def test_a_merchant_lists_its_own_payments_newest_first(merchant: Merchant) -> None:
    made = [(await merchant.make_payment("createPayment"))["paymentId"] for _ in range(3)]
    reserved = (await merchant.make_payment("preparePayment"))["paymentId"]
    headers = {"Authorization": f"Bearer {merchant.token}"}

    async def listed(query: str) -> list[str]:
        async with merchant.client.get(f"{merchant.url}?{query}", headers=headers) as got:
            assert got.status == 200
            return [each["paymentId"] for each in await got.json()]

    assert set(await listed("")) == {*made, reserved}
    assert await listed("paymentStatus=reserved") == [reserved]
    pages = [await listed(f"perPage=3&page={page}") for page in (1, 2)]
    assert list(map(len, pages)) == [3, 1]
    assert await listed("paymentCreationDate.lte=2026-03-01T00:00:00Z") == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("perPage=0", "OUT_OF_RANGE"),
        ("perPage=%D9%A3", "OUT_OF_RANGE"),
        ("paymentCreationDate.gte=yesterday", "INVALID_ARGUMENT"),
        ("paymentCreationDate.gte=2026-03-01T00:00:00", "INVALID_ARGUMENT"),
        ("paymentCreationDate.gte=0001-01-01T00:00:00%2B05:00", "INVALID_ARGUMENT"),
        ("paymentCreationDate.lte=9999-12-31T23:59:59-05:00", "INVALID_ARGUMENT"),
        (
            "paymentCreationDate.gte=2026-03-09T00:00:00Z&paymentCreationDate.lte=2026-03-01T00:00:00Z",
            "CARRIER_BILLING.INVALID_DATE_RANGE",
        ),
    ],
)
async def test_a_list_that_cannot_be_is_refused(merchant: Merchant, query: str, code: str) -> None:
    headers = {"Authorization": f"Bearer {merchant.token}"}
    async with merchant.client.get(f"{merchant.url}?{query}", headers=headers) as got:
        assert (got.status, (await got.json())["code"]) == (400, code)


@pytest.mark.parametrize(
    "amount", [0, -1, 1.234, 1e9, True, "1.80", None, 1e-9], ids=lambda amount: f"amount {amount!r}"
)
async def test_an_amount_that_is_none_is_refused(merchant: Merchant, amount: object) -> None:
    body = transaction()
    body["amountTransaction"]["paymentAmount"]["chargingInformation"]["amount"] = amount
    assert (await again(merchant, body=body).send("createPayment"))[0] == 400


async def test_a_lapsed_reservation_is_shown_cancelled(merchant: Merchant) -> None:
    made = await merchant.make_payment("preparePayment")
    merchant.sandbox.clock.advance(timedelta(minutes=5))
    client = again(merchant, payment=made["paymentId"], body={"phoneNumber": LUC})
    assert (await client.send("retrievePayment"))[2]["paymentStatus"] == "cancelled"
    status, _, body = await client.send("confirmPayment")
    assert (status, body["code"]) == (409, "CARRIER_BILLING.PAYMENT_CANCELLED")


async def test_an_operator_without_merchants_knows_no_token(merchant: Merchant) -> None:
    url = merchant.url.replace("bouygues", "orange-ro")
    stranger = Merchant(merchant.sandbox, merchant.client, url, body=transaction())
    assert (await stranger.send("createPayment"))[0] == 401


@pytest.mark.parametrize(
    ("odd", "status"),
    [
        ({"description": "Zone \ud83d"}, 201),
        ({"description": "Zone \x00"}, 201),
        ({"amount": 10**400}, 400),
        (json.loads("[" * 600 + "]" * 600), 400),
    ],
    ids=["half a surrogate pair", "a NUL", "a number beyond all floats", "deep nesting"],
)
async def test_what_is_only_echoed_never_ends_in_a_server_error(
    odd: object, status: int, merchant: Merchant
) -> None:
    body, before = transaction(), await charges_stored(merchant)
    body["amountTransaction"]["paymentAmount"]["chargingMetaData"] = odd
    got, _, answer = await again(merchant, body=body).send("createPayment")
    assert got == status and await charges_stored(merchant) == before + (status == 201)
    if status == 201:
        shown = answer["amountTransaction"]["paymentAmount"]["chargingMetaData"]
        assert shown == odd


@pytest.mark.parametrize("name", ["Games", "a/b", "", "x" * 65, "a b"])
def test_a_merchant_has_a_plain_name(name: str) -> None:
    with pytest.raises(ValidationError):
        PurchaseSettings.model_validate({"merchants": {name: {"token": "t" * 30, "category": "parking"}}})
