"""Authentication of described providers: only the right secret, the right bytes, in time; the old key, too."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from pydantic import BaseModel, SecretStr

from gateway.providers._aggregators.authentication import AuthenticityChecker
from gateway.providers._aggregators.description import AuthenticationForm
from gateway.providers.contract import Connection, RawRequest

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
BODY = b'{"id": 1}'


class ExampleSettings(BaseModel):
    hook_user: str = "acme"
    hook_secret: SecretStr = SecretStr("a new secret of 32 characters ..")
    old_hook_secret: SecretStr | None = SecretStr("an old secret of 32 characters .")


SECRET = "a new secret of 32 characters .."
OLD = "an old secret of 32 characters ."
CONNECTION = Connection("orange-ro", ExampleSettings(), "", "", {}, {})


def check(
    form: Mapping[str, Any],
    headers: Mapping[str, str],
    *,
    body: bytes = BODY,
    target: str = "/hooks/orange-ro/acme/sms",
    fields: Mapping[str, str] | None = None,
) -> bool:
    checker = AuthenticityChecker(AuthenticationForm.model_validate(form), lambda: NOW)
    return checker.check(RawRequest(target, headers, body), fields or {}, CONNECTION)


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


def sign(secret: str, signed: bytes) -> str:
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("headers", "is_right"),
    [
        (basic("acme", SECRET), True),
        (basic("acme", OLD), True),
        (basic("acme", "other"), False),
        (basic("other", SECRET), False),
        ({"Authorization": "Basic ???"}, False),
        ({"Authorization": basic("acme", SECRET)["Authorization"].replace("Basic", "Bearer")}, False),
        ({}, False),
    ],
)
def test_basic(headers: dict[str, str], is_right: bool) -> None:  # noqa: FBT001
    assert check({"kind": "basic"}, headers) is is_right


@pytest.mark.parametrize(("given", "is_right"), [(SECRET, True), (OLD, True), ("", False), ("ă", False)])
def test_a_secret_header(given: str, is_right: bool) -> None:  # noqa: FBT001
    assert check({"kind": "header", "header": "X-Token"}, {"X-Token": given}) is is_right


@pytest.mark.parametrize(
    ("query", "is_right"),
    [(f"key={SECRET.replace(' ', '+')}", True), ("key=", False), ("", False), ("other=1", False)],
)
def test_a_secret_in_the_query(query: str, is_right: bool) -> None:  # noqa: FBT001
    form = {"kind": "query", "fields": {"key": "hook_secret"}}
    assert check(form, {}, target=f"/hooks/x?{query}") is is_right


@pytest.mark.parametrize("secret", [SECRET, OLD])
def test_a_signature_over_the_body(secret: str) -> None:
    form = {"kind": "hmac", "header": "X-Signature"}
    assert check(form, {"X-Signature": sign(secret, BODY)})
    assert not check(form, {"X-Signature": sign(secret, BODY)}, body=BODY + b" ")
    assert not check(form, {"X-Signature": sign("another", BODY)})
    assert not check(form, {})


@pytest.mark.parametrize(
    ("stamp", "is_right"),
    [(STAMP, True), (str(int(STAMP) - 301), False), (str(int(STAMP) + 301), False), ("²", False), ("", False)],
)
def test_a_signature_with_its_time(stamp: str, is_right: bool) -> None:  # noqa: FBT001
    form = {"kind": "hmac", "header": "Acme-Signature", "over": "timestamp.body", "format": "t,v1"}
    signature = sign(SECRET, f"{stamp}.".encode() + BODY)
    assert check(form, {"Acme-Signature": f"t={stamp},v1=00ff,v1={signature}"}) is is_right


def test_a_signature_over_sorted_fields() -> None:
    form = {"kind": "hmac", "over": "sorted-fields", "signature_field": "sig"}
    fields = {"text": "a&b=c", "msisdn": "40740000101"}
    signature = sign(SECRET, b"&msisdn=40740000101&text=a_b_c")
    assert check(form, {}, fields={**fields, "sig": signature.upper()})
    assert not check(form, {}, fields={**fields, "text": "other", "sig": signature})
    assert not check(form, {}, fields=fields)


def bearer(claims: Mapping[str, Any], key: str = SECRET, algorithm: str = "HS256") -> dict[str, str]:
    return {"Authorization": f"Bearer {jwt.encode(dict(claims), key, algorithm=algorithm)}"}


CLAIMS = {"iat": int(STAMP), "payload_hash": hashlib.sha256(BODY).hexdigest()}


@pytest.mark.parametrize(
    ("headers", "is_right"),
    [
        (bearer(CLAIMS), True),
        (bearer(CLAIMS, OLD), True),
        (bearer(CLAIMS, "another secret of 32 characters."), False),
        (bearer({**CLAIMS, "iat": int(STAMP) - 3600}), False),
        (bearer({**CLAIMS, "payload_hash": "00"}), False),
        (bearer({"payload_hash": CLAIMS["payload_hash"]}), False),
        ({"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}, False),
        ({"Authorization": "Bearer x"}, False),
    ],
)
def test_a_token_with_the_hash_of_the_body(headers: dict[str, str], is_right: bool) -> None:  # noqa: FBT001
    assert check({"kind": "jwt", "body_hash_claim": "payload_hash"}, headers) is is_right
