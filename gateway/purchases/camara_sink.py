"""Sinks of CAMARA requests: where notifications go, and the access token to send along."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flows.domain.purchase_records import NotificationSink
from gateway.purchases.camara_errors import CamaraError, invalid_argument
from gateway.purchases.merchant_settings import MerchantSettings
from gateway.purchases.sink_notifier import allows_sink

MAX_URL, MAX_TOKEN = 2048, 4096
TOKEN_PATTERN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
"""A bearer token (RFC 6750, 2.1)."""


def read_sink(document: Mapping[str, Any], settings: MerchantSettings) -> NotificationSink | None:
    """Return where notifications go; None without a sink. CamaraError 400 for one that cannot be used."""
    token, expires = _read_credential(document.get("sinkCredential"))
    if "sink" not in document:
        return None
    text = document["sink"]
    if not isinstance(text, str) or not 0 < len(text) <= MAX_URL:
        raise invalid_argument("sink is not a URL.")
    if not allows_sink(text, settings):
        raise CamaraError(400, "INVALID_SINK", "sink is not https, or not on a host that was agreed.")
    return NotificationSink(text, token, expires)


def _read_credential(credential: Any) -> tuple[str, datetime | None]:
    """Return the access token of a credential and when it ends; an empty one without a credential."""
    if credential is None:
        return "", None
    if not isinstance(credential, dict) or not isinstance(credential.get("credentialType"), str):
        raise invalid_argument("sinkCredential is not a credential.")
    if credential["credentialType"] != "ACCESSTOKEN":
        raise CamaraError(400, "INVALID_CREDENTIAL", "Only Access token is supported")
    if credential.get("accessTokenType") != "bearer":
        raise CamaraError(400, "INVALID_TOKEN", "Only bearer token is supported")
    token, expires = credential.get("accessToken"), _read_expiry(credential.get("accessTokenExpiresUtc"))
    if not isinstance(token, str) or len(token) > MAX_TOKEN or not TOKEN_PATTERN.fullmatch(token):
        raise invalid_argument("accessToken is missing, or no bearer token.")
    return token, expires


def _read_expiry(text: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise invalid_argument("accessTokenExpiresUtc is missing, or not in RFC 3339.") from error
