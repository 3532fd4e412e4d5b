"""An identity provider (OpenID Connect) as a server on loopback, as strict and as faulty as a test wants it."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import unquote_plus, urlencode

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from gateway.console.openid.signed_claims import LOGOUT_EVENT
from gateway.http.listening import serve_app

CLIENT_ID, CLIENT_SECRET = "dialtree-console", "kvq4+ZJ1/fWlN%7tQ0x:u2Yp"
TokenEdit = Callable[[dict[str, Any]], None]
"""Changes the claims of the next tokens."""


@cache
def rsa_key(name: str) -> RSAKey:
    """Return a key of this id, made once."""
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig", "alg": "RS256"})


@dataclass
class IssuedCode:
    """A code that waits to be redeemed, with what the sign-in asked for."""

    query: dict[str, str]
    redirect_uri: str


@dataclass
class LoginProvider:
    """The provider: one user is always signed in there, and each code is worth one token."""

    now: Callable[[], datetime]
    callback: str = ""
    """The only return address that is registered."""
    url: str = ""
    user: dict[str, Any] = field(
        default_factory=lambda: {"sub": "u-1", "preferred_username": "Elena", "groups": ["staff"], "sid": "s-1"}
    )
    key: RSAKey | ECKey = field(default_factory=lambda: rsa_key("first"))
    published: list[RSAKey | ECKey] = field(default_factory=lambda: [rsa_key("first")])
    edit: TokenEdit = lambda claims: None
    sign: Callable[["LoginProvider", dict[str, Any]], str] | None = None
    """Makes the ID token instead of the honest way."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """What the discovery document says instead."""
    client_auth: str = "client_secret_basic"
    """How the client is registered to send its secret."""
    status: int = 200
    """Status of every answer."""
    hangs: bool = False
    answer_edit: Callable[[dict[str, str]], None] = lambda query: None
    """Changes the query with which browsers are sent back."""
    codes: dict[str, IssuedCode] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """The paths asked for."""
    key_fetches: int = 0
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at the end, for the requests that hang."""

    def app(self) -> web.Application:
        """Return the server's application."""
        app = web.Application(middlewares=[self._be_faulty])
        app.router.add_get("/.well-known/openid-configuration", self._discover)
        app.router.add_get("/keys", self._publish_keys)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._redeem)
        return app

    def claims(self, nonce: str) -> dict[str, Any]:
        """Return the claims of an ID token, as `edit` leaves them."""
        at = int(self.now().timestamp())
        claims = {"iss": self.url, "aud": CLIENT_ID, "iat": at, "exp": at + 300, "nonce": nonce, **self.user}
        self.edit(claims)
        return claims

    def logout_token(self, **changes: Any) -> str:
        """Return a signed logout token; a change to None leaves the claim out."""
        at = int(self.now().timestamp())
        claims = {
            **{"iss": self.url, "aud": CLIENT_ID, "iat": at, "exp": at + 120, "jti": "j-1"},
            **{"sub": self.user["sub"], "events": {LOGOUT_EVENT: {}}, **changes},
        }
        return self.honest_token({name: value for name, value in claims.items() if value is not None})

    def honest_token(self, claims: dict[str, Any]) -> str:
        """Return a token signed with the current key."""
        algorithm = "RS256" if isinstance(self.key, RSAKey) else "ES256"
        return jwt.encode({"alg": algorithm, "kid": self.key.kid}, claims, self.key)

    def rotate(self) -> None:
        """Sign with a new key; the one before is withdrawn."""
        self.key = ECKey.generate_key("P-256", {"kid": "second", "use": "sig"})
        self.published = [self.key]

    @web.middleware
    async def _be_faulty(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(request.path)
        if self.hangs:
            await self.closing.wait()
        if self.status != 200:
            return web.Response(status=self.status, text="<html>out of order</html>")
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _discover(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                "end_session_endpoint": f"{self.url}/logout",
                **self.metadata,
            }
        )

    async def _publish_keys(self, request: web.Request) -> web.Response:
        self.key_fetches += 1
        kept = KeySet(list(self.published)).as_dict()["keys"]
        strange = [{"kty": "AKP", "kid": "pq"}, {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"}]
        return web.json_response({"keys": [*strange, *kept]})

    async def _authorize(self, request: web.Request) -> web.Response:
        query = dict(request.query)
        if query.get("redirect_uri") != self.callback or query.get("client_id") != CLIENT_ID:
            return web.Response(status=400, text="not registered")
        if query.get("code_challenge_method") != "S256" or query.get("response_type") != "code":
            return web.Response(status=400, text="PKCE is demanded")
        code = f"code-{len(self.codes) + 1}"
        self.codes[code] = IssuedCode(query, query["redirect_uri"])
        back = {"code": code, "state": query["state"], "iss": self.url}
        self.answer_edit(back)
        return web.Response(status=302, headers={"Location": f"{self.callback}?{urlencode(back)}"})

    async def _redeem(self, request: web.Request) -> web.Response:
        form = await request.post()
        issued = self.codes.get(str(form.get("code")))
        if self._read_client(request, form) != (CLIENT_ID, CLIENT_SECRET):
            return web.json_response({"error": "invalid_client"}, status=401)
        digest = hashlib.sha256(str(form.get("code_verifier")).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if issued is None or issued.query["code_challenge"] != challenge:
            return web.json_response({"error": "invalid_grant"}, status=400)
        if form.get("redirect_uri") != issued.redirect_uri:
            return web.json_response({"error": "invalid_grant"}, status=400)
        del self.codes[str(form["code"])]
        claims = self.claims(issued.query["nonce"])
        token = self.sign(self, claims) if self.sign else self.honest_token(claims)
        return web.json_response({"access_token": "opaque", "token_type": "Bearer", "id_token": token})

    def _read_client(self, request: web.Request, form: Mapping[str, Any]) -> tuple[str, str]:
        """Return the client and its secret, sent as it is registered."""
        if self.client_auth == "client_secret_post":
            return str(form.get("client_id")), str(form.get("client_secret"))
        return read_basic(request.headers.get("Authorization", ""))

    async def serve(self, stack: AsyncExitStack) -> None:
        """Serve on a free port until the stack is closed."""
        port = await stack.enter_async_context(serve_app(self.app(), "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{port}"
        stack.callback(self.closing.set)


def read_basic(header: str) -> tuple[str, str]:
    """Return the client and its secret, each of them encoded like a form's (RFC 6749, 2.3.1)."""
    name, _, secret = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
    return unquote_plus(name), unquote_plus(secret)


def sign_with_none(provider: LoginProvider, claims: dict[str, Any]) -> str:
    """Return a token with the algorithm `none` and no signature."""
    parts = ({"alg": "none", "kid": provider.key.kid}, claims)
    return ".".join(_encode(json.dumps(part).encode()) for part in parts) + "."


def sign_with_public_key(provider: LoginProvider, claims: dict[str, Any]) -> str:
    """Return a token whose HMAC has the public key, as everybody knows it, for its secret."""
    return sign_with_hmac(provider.key.as_pem(private=False), provider.key.kid, claims)


def sign_with_shared_key(provider: LoginProvider, claims: dict[str, Any]) -> str:
    """Return a token whose HMAC has a symmetric key of the published set for its secret."""
    return sign_with_hmac(b"secret", "shared", claims)


def sign_with_hmac(secret: bytes, kid: str | None, claims: dict[str, Any]) -> str:
    """Return a token signed by HMAC-SHA-256."""
    header = {"alg": "HS256", "typ": "JWT", "kid": kid}
    signed = ".".join(_encode(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{_encode(hmac.digest(secret, signed.encode(), 'sha256'))}"


def sign_with_foreign_key(provider: LoginProvider, claims: dict[str, Any]) -> str:
    """Return a token signed with a key of somebody else's under the id of the provider's."""
    return jwt.encode({"alg": "RS256", "kid": provider.key.kid}, claims, rsa_key("foreign"))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
