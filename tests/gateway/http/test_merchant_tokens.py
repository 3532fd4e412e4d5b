"""Access tokens of merchants: OAuth 2.0 client credentials, scopes, expiry, revocation."""

from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.http.access_tokens import MERCHANT_SCOPES, MerchantTokens
from gateway.purchases.merchant_settings import MerchantSettings
from tests.gateway.purchases.camara_merchant import CLIENT_SECRET, Merchant, open_merchant, transaction
from tests.support.gateway_sandbox import SandboxFactory

NOW = datetime(2026, 3, 10, 8, tzinfo=UTC)
GRANT = {"grant_type": "client_credentials"}
CLIENT = {"client_id": "parkplus", "client_secret": CLIENT_SECRET}
SECRETS = ("the-first-secret-of-a-merchant", "the-other-secret-of-a-merchant")


@pytest.fixture
async def merchant(sandboxes: SandboxFactory) -> AsyncIterator[Merchant]:
    async with open_merchant(sandboxes) as opened:
        yield opened


async def ask(
    merchant: Merchant, form: dict[str, str], operator: str = "bouygues", **headers: str
) -> tuple[int, dict[str, str], Any]:
    url = merchant.url.replace("bouygues/carrier-billing/v0.5/payments", f"{operator}/token")
    async with merchant.client.post(url, data=form, headers=headers) as got:
        return got.status, dict(got.headers), await got.json()


def tokens_of(*secrets: str, at: datetime = NOW) -> MerchantTokens:
    names = dict(zip(("client_secret", "old_client_secret"), secrets, strict=False))
    settings = MerchantSettings.model_validate({"category": "parking", **names})
    return MerchantTokens({"bouygues": {"parkplus": settings}, "orange-fr": {}}, b"k" * 32, lambda: at)


async def test_a_token_buys_and_says_how_long_it_is_good(merchant: Merchant) -> None:
    status, headers, got = await ask(merchant, GRANT | CLIENT)
    assert (status, got["token_type"], got["expires_in"]) == (200, "Bearer", 3600)
    assert got["scope"].split() == sorted(MERCHANT_SCOPES) and headers["Cache-Control"] == "no-store"
    merchant.token, merchant.body = got["access_token"], transaction()
    assert (await merchant.send("createPayment"))[0] == 201


async def test_the_client_may_come_in_the_basic_header(merchant: Merchant) -> None:
    pair = b64encode(f"parkplus:{CLIENT_SECRET}".encode()).decode()
    assert (await ask(merchant, GRANT, Authorization=f"Basic {pair}"))[0] == 200


async def test_a_token_does_what_its_scope_says_and_nothing_else(merchant: Merchant) -> None:
    payment = await merchant.make_payment("preparePayment")
    merchant.token = await merchant.fetch_token("carrier-billing:payments:read")
    merchant.payment = payment["paymentId"]
    assert (await merchant.send("retrievePayment"))[0] == 200
    merchant.body = transaction()
    for operation in ("createPayment", "confirmPayment", "createRefund", "retrieveRefunds"):
        status, _, got = await merchant.send(operation)
        assert (status, got["code"]) == (403, "PERMISSION_DENIED")


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        (GRANT | CLIENT | {"client_secret": "another-secret"}, 401, "invalid_client"),
        (GRANT | CLIENT | {"client_id": "nobody"}, 401, "invalid_client"),
        (GRANT | {"client_id": "gameshop", "client_secret": ""}, 401, "invalid_client"),
        (GRANT, 401, "invalid_client"),
        (CLIENT, 400, "invalid_request"),
        (CLIENT | {"grant_type": "password"}, 400, "unsupported_grant_type"),
        (GRANT | CLIENT | {"scope": "carrier-billing:payments:read admin"}, 400, "invalid_scope"),
    ],
    ids=["secret", "name", "without", "none", "no-grant", "other-grant", "scope"],
)
async def test_a_wrong_request_gets_no_token(
    merchant: Merchant, form: dict[str, str], status: int, error: str
) -> None:
    got, headers, body = await ask(merchant, form)
    assert (got, body) == (status, {"error": error}) and ("WWW-Authenticate" in headers) is (status == 401)


async def test_a_repeated_field_and_another_operator_get_no_token(merchant: Merchant) -> None:
    url = merchant.url.replace("carrier-billing/v0.5/payments", "token")
    twice = "grant_type=client_credentials&client_id=parkplus&client_id=gameshop"
    async with merchant.client.post(url, data=twice.encode()) as got:
        assert (got.status, await got.json()) == (400, {"error": "invalid_request"})
    assert (await ask(merchant, GRANT | CLIENT, "orange-fr"))[0] == 401


def test_a_token_ends_after_an_hour() -> None:
    tokens = tokens_of(SECRETS[0])
    token = tokens.issue_token("bouygues", "parkplus", frozenset(MERCHANT_SCOPES))
    assert tokens.find_grant("bouygues", token)
    assert not replace(tokens, now=lambda: NOW + timedelta(hours=1)).find_grant("bouygues", token)


def test_a_token_ends_with_the_client_secret_that_signed_it() -> None:
    token = tokens_of(SECRETS[0]).issue_token("bouygues", "parkplus", frozenset(MERCHANT_SCOPES))
    assert tokens_of(SECRETS[1], SECRETS[0]).find_grant("bouygues", token)
    assert not tokens_of(SECRETS[1]).find_grant("bouygues", token)
    assert not replace(tokens_of(SECRETS[0]), key=b"x" * 32).find_grant("bouygues", token)


def test_an_altered_token_grants_nothing() -> None:
    tokens = tokens_of(SECRETS[0])
    token = tokens.issue_token("bouygues", "parkplus", frozenset({"carrier-billing:payments:read"}))
    more = tokens_of(SECRETS[1]).issue_token("bouygues", "parkplus", frozenset(MERCHANT_SCOPES))
    payload, _, mac = token.partition(".")
    wrong = [
        f"{more.partition('.')[0]}.{mac}",
        payload,
        f"{payload}.",
        f".{mac}",
        "W10.x",
        "",
        "é.é",
        "bnVsbA.x",
    ]
    assert not any(tokens.find_grant("bouygues", each) for each in wrong)
    assert not tokens.find_grant("orange-fr", token)
    grant = tokens.find_grant("bouygues", token)
    assert grant and grant.scopes == {"carrier-billing:payments:read"}


def test_a_merchant_needs_a_way_to_prove_who_it_is() -> None:
    with pytest.raises(ValidationError, match="client_secret"):
        MerchantSettings.model_validate({"category": "parking"})
