"""Token endpoint of merchants: OAuth 2.0 client credentials (RFC 6749, 4.4)."""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote_plus

from aiohttp import web

from flows.domain.failures import BadRequest
from gateway.http.access_tokens import TOKEN_SECONDS, MerchantTokens
from gateway.http.guard import UNAUTHENTIC_STATUS, Guard

OAUTH_PATH = "/camara/{operator}/token"
MAX_FIELDS = 20


class TokenError(Exception):
    """A refusal as RFC 6749, 5.2 writes it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class MerchantTokenHandler:
    """aiohttp handler of `OAUTH_PATH`."""

    guard: Guard = field(repr=False)
    tokens: MerchantTokens = field(repr=False)

    async def issue_token(self, request: web.Request) -> web.Response:
        """Answer 200 with a token, 401 for an unknown client, 400 for a wrong request, 429 after many."""
        operator = request.match_info["operator"]
        try:
            body = await self.guard.read_signed_event(
                request, lambda body: self._answer(operator, request, body)
            )
        except TokenError as error:
            return _json({"error": error.code}, 400)
        except BadRequest as error:
            code = "invalid_client" if error.status == UNAUTHENTIC_STATUS else "invalid_request"
            return _json({"error": code}, error.status)
        return _json(body, 200)

    def _answer(self, operator: str, request: web.Request, body: bytes) -> dict[str, object]:
        form = _read_form(body)
        client, secret = _read_client(request.headers.get("Authorization", ""), form)
        settings = self.tokens.find_client(operator, client, secret)
        if settings is None:
            raise BadRequest("no such client", UNAUTHENTIC_STATUS)
        if form.get("grant_type") != "client_credentials":
            raise TokenError("unsupported_grant_type" if form.get("grant_type") else "invalid_request")
        allowed = frozenset[str](settings.scopes)
        scopes = frozenset(form.get("scope", "").split()) or allowed
        if not scopes <= allowed:
            raise TokenError("invalid_scope")
        token = self.tokens.issue_token(operator, client, scopes)
        about = {"token_type": "Bearer", "expires_in": TOKEN_SECONDS, "scope": " ".join(sorted(scopes))}
        return {"access_token": token, **about}


def _read_form(body: bytes) -> dict[str, str]:
    """Return the fields of a form; TokenError for one that repeats a field or cannot be read."""
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise TokenError("invalid_request") from None
    if len(dict(fields)) != len(fields):
        raise TokenError("invalid_request")
    return dict(fields)


def _read_client(header: str, form: Mapping[str, str]) -> tuple[str, str]:
    """Return the client's name and secret: of the Basic header, else of the form; empty for none."""
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        name, _, secret = b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return unquote_plus(name), unquote_plus(secret)


def _json(body: Mapping[str, object], status: int) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    if status == UNAUTHENTIC_STATUS:
        headers["WWW-Authenticate"] = 'Basic realm="merchants"'
    return web.json_response(body, status=status, headers=headers)
