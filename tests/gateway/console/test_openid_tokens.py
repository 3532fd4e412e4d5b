"""Tokens of an identity provider: a wrong claim, a forged signature or an unknown key counts for nothing."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from tests.support.login_provider import (
    CLIENT_ID,
    LoginProvider,
    rsa_key,
    sign_with_foreign_key,
    sign_with_none,
    sign_with_public_key,
    sign_with_shared_key,
)
from tests.support.openid_console import LOGOUT, OpenIdConsole
from tests.support.openid_console import served as served


def without(name: str) -> Callable[[dict[str, Any]], None]:
    """Return what takes a claim out."""
    return lambda claims: claims.pop(name, None)


def changed(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Return what sets a claim."""
    return lambda claims: claims.update({name: value})


def moved(name: str, seconds: int) -> Callable[[dict[str, Any]], None]:
    """Return what moves a time."""
    return lambda claims: claims.update({name: claims["iat"] + seconds})


LIES: dict[str, Callable[[dict[str, Any]], None]] = {
    "another issuer": changed("iss", "https://login.example"),
    "another audience": changed("aud", "another-client"),
    "several audiences, made for another": lambda claims: claims.update(aud=[CLIENT_ID, "b"], azp="b"),
    "several audiences, made for nobody in particular": changed("aud", [CLIENT_ID, "b"]),
    "another sign-in's nonce": changed("nonce", "n" * 43),
    "an access token's hash that is wrong": changed("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"),
    "over": moved("exp", -61),
    "from the future": moved("iat", 61),
    "not valid yet": moved("nbf", 61),
    "a time that is a word": changed("exp", "tomorrow"),
    "a subject that is a number": changed("sub", 1),
    "no name": without("preferred_username"),
    "a name without a letter": changed("preferred_username", "@@@"),
    **{f"no {name}": without(name) for name in ("iss", "aud", "exp", "iat", "sub", "nonce")},
}


async def test_a_token_with_a_wrong_claim_signs_nobody_in(served: OpenIdConsole) -> None:
    found = await served.statuses(LIES, lambda lie: setattr(served.provider, "edit", lie))
    assert found == dict.fromkeys(LIES, 403)
    assert "Nobody was signed in" in (await served.sign_in(served.console.new_browser())).visible_text
    assert await served.console.audit_entries("console.sign_in") == []


FORGERIES: dict[str, Callable[[LoginProvider, dict[str, Any]], str]] = {
    "the algorithm none": sign_with_none,
    "the public key as a secret": sign_with_public_key,
    "a symmetric key of the set": sign_with_shared_key,
    "a foreign key": sign_with_foreign_key,
    "altered": lambda provider, claims: provider.honest_token(claims)[:-8] + "AAAAAAAA",
    "no token": lambda provider, claims: "not.a.token",
    "endless": lambda provider, claims: provider.honest_token(claims) + "A" * 40_000,
}


async def test_a_forged_signature_signs_nobody_in(served: OpenIdConsole) -> None:
    found = await served.statuses(FORGERIES, lambda sign: setattr(served.provider, "sign", sign))
    assert found == dict.fromkeys(FORGERIES, 403)


async def test_a_clock_a_minute_off_is_no_fault(served: OpenIdConsole) -> None:
    clock = served.console.sandbox.clock
    served.provider.edit = moved("exp", 2)
    for seconds in (-59, 59):
        served.provider.now = partial(lambda off: clock() + timedelta(seconds=off), seconds)
        assert (await served.sign_in(served.console.new_browser())).status == 200


async def test_a_new_key_is_asked_for_and_the_withdrawn_one_forgotten(served: OpenIdConsole) -> None:
    assert (await served.sign_in(served.console.new_browser())).status == 200
    old = served.provider.key
    served.console.sandbox.clock.advance(timedelta(seconds=11))
    served.provider.rotate()
    assert (await served.sign_in(served.console.new_browser())).status == 200
    served.provider.key = old
    assert (await served.sign_in(served.console.new_browser())).status == 403


async def test_tokens_with_unknown_keys_cause_few_requests(served: OpenIdConsole) -> None:
    await served.sign_in(served.console.new_browser())
    served.provider.key = rsa_key("strange")
    for _ in range(5):
        await served.console.new_browser().post(LOGOUT, {"logout_token": served.provider.logout_token()})
    assert served.provider.key_fetches <= 2


LOGOUTS: tuple[tuple[dict[str, Any], int], ...] = (
    ({"sid": "s-2", "sub": None}, 200),
    ({"sub": "u-2"}, 200),
    ({"sub": None}, 400),
    ({"aud": "another-client"}, 400),
    ({"iss": "https://login.example"}, 400),
    ({"nonce": "n"}, 400),
    ({"events": None}, 400),
    ({"events": {"another": {}}}, 400),
    ({"jti": None}, 400),
    ({"exp": 1}, 400),
)
"""Logout tokens that end no session of the test's user, with the answer to each."""


async def test_a_logout_token_of_anybody_else_ends_nothing(served: OpenIdConsole) -> None:
    browser = served.console.new_browser()
    await served.sign_in(browser)
    for changes, status in LOGOUTS:
        token = served.provider.logout_token(**changes)
        assert (await browser.post(LOGOUT, {"logout_token": token})).status == status, changes
    assert "Sign out" in await served.home(browser)


async def test_a_back_channel_logout_ends_the_sessions_it_names(served: OpenIdConsole) -> None:
    for changes in ({}, {"sid": "s-1"}, {"sid": "s-1", "sub": None}):
        browser = served.console.new_browser()
        await served.sign_in(browser)
        token = served.provider.logout_token(**changes)
        assert (await served.console.new_browser().post(LOGOUT, {"logout_token": token})).status == 200
        assert "Sign out" not in await served.home(browser)


async def test_an_id_token_logs_nobody_out(served: OpenIdConsole) -> None:
    browser = served.console.new_browser()
    await served.sign_in(browser)
    token = served.provider.honest_token(served.provider.claims("n"))
    assert (await browser.post(LOGOUT, {"logout_token": token})).status == 400
    assert "Sign out" in await served.home(browser)
