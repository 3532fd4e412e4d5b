"""Sign-in by OpenID Connect: the way to the provider and back, rights by group, names, outages."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from tests.support.console_site import serve_console
from tests.support.free_ports import free_port
from tests.support.gateway_sandbox import GatewaySandbox
from tests.support.gateway_sandbox import sandbox as sandbox
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.login_provider import CLIENT_ID, LoginProvider
from tests.support.openid_console import BEGIN, GROUPS, OpenIdConsole
from tests.support.openid_console import served as served


async def test_groups_give_roles_and_operators(served: OpenIdConsole) -> None:
    served.provider.user["groups"] = ["staff", "night shift", "everybody"]
    browser = served.console.new_browser()
    assert "You are signed in" in (await served.sign_in(browser)).visible_text
    home = await browser.get("/console")
    assert "elena" in home.visible_text and "Messages and providers" in home.visible_text
    assert "orange-ro" in home.text
    assert await served.console.audit_entries("console.sign_in") == [("", "elena", "openid", "ok")]


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_secret_with_any_characters_is_sent_the_way_the_provider_takes_it(
    served: OpenIdConsole, method: str
) -> None:
    served.provider.client_auth = method
    served.provider.metadata = {"token_endpoint_auth_methods_supported": [method]}
    assert (await served.sign_in(served.console.new_browser())).status == 200


async def test_who_is_in_no_group_is_told_so(served: OpenIdConsole) -> None:
    cases = {repr(groups): groups for groups in ([], ["everybody"], "everybody", None, 7, [{"staff": 1}])}
    found = await served.statuses(cases, lambda groups: served.provider.user.update(groups=groups))
    assert found == dict.fromkeys(cases, 403)
    page = await served.sign_in(served.console.new_browser())
    assert "no group" in page.visible_text


async def test_a_claim_inside_an_object_names_the_groups(served: OpenIdConsole) -> None:
    openid = served.console.site.openid
    assert openid
    settings = openid.provider.settings.model_copy(update={"groups_claim": "realm_access.roles"})
    openid.provider.settings = settings
    served.provider.user |= {"groups": [], "realm_access": {"roles": ["staff"]}}
    assert (await served.sign_in(served.console.new_browser())).status == 200


async def test_a_code_is_worth_one_sign_in(served: OpenIdConsole) -> None:
    browser, taken = served.console.new_browser(), list[str]()
    async with browser.session.get(served.console.url + BEGIN, allow_redirects=False) as answer:
        asked = answer.headers["Location"]
    async with browser.session.get(asked, allow_redirects=False) as answer:
        taken.append(URL(answer.headers["Location"]).path_qs)
    cookies = {each.key: each.value for each in browser.session.cookie_jar}
    assert (await browser.get(taken[0])).status == 200
    browser.session.cookie_jar.update_cookies(cookies, URL(f"{served.console.url}/"))
    assert (await browser.get(taken[0])).status == 403


async def test_an_answer_counts_in_the_browser_that_asked_only(served: OpenIdConsole) -> None:
    victim, attacker = served.console.new_browser(), served.console.new_browser()
    async with attacker.session.get(served.console.url + BEGIN, allow_redirects=False) as answer:
        asked = answer.headers["Location"]
    async with attacker.session.get(asked, allow_redirects=False) as answer:
        back = URL(answer.headers["Location"]).path_qs
    assert (await victim.get(back)).status == 403
    async with victim.session.get(served.console.url + BEGIN, allow_redirects=False):
        pass
    assert (await victim.get(back)).status == 403 and not victim.session_token


ANSWERS: dict[str, Callable[[dict[str, str]], Any]] = {
    "another state": lambda query: query.update(state="x" * 43),
    "no state": lambda query: query.pop("state"),
    "no code": lambda query: query.pop("code"),
    "an error": lambda query: (query.pop("code"), query.update(error="access_denied")),
    "another provider's": lambda query: query.update(iss="https://login.example"),
    "an unknown code": lambda query: query.update(code="code-99"),
}


async def test_an_answer_that_is_not_to_our_question_is_refused(served: OpenIdConsole) -> None:
    found = await served.statuses(ANSWERS, lambda fault: setattr(served.provider, "answer_edit", fault))
    assert found == dict.fromkeys(ANSWERS, 403)


async def test_an_answer_after_ten_minutes_is_refused(served: OpenIdConsole) -> None:
    clock = served.console.sandbox.clock
    served.provider.answer_edit = lambda query: clock.advance(timedelta(minutes=11))
    assert (await served.sign_in(served.console.new_browser())).status == 403


async def test_no_request_says_where_a_sign_in_leads(served: OpenIdConsole) -> None:
    browser = served.console.new_browser()
    evil = "?next=https://evil.example&redirect_uri=https://evil.example&url=//evil.example"
    async with browser.session.get(served.console.url + BEGIN + evil, allow_redirects=False) as answer:
        asked = URL(answer.headers["Location"])
    assert asked.origin() == URL(served.provider.url)
    assert asked.query["redirect_uri"] == served.provider.callback
    served.provider.answer_edit = lambda query: query.update(next="https://evil.example")
    page = await served.sign_in(browser)
    assert page.status == 200 and "evil" not in page.text


async def test_a_sign_in_takes_a_new_session_whatever_the_browser_has(served: OpenIdConsole) -> None:
    victim = served.console.new_browser()
    victim.plant_session("x" * 43)
    await served.sign_in(victim)
    first = victim.session_token
    await served.sign_in(victim)
    attacker = served.console.new_browser()
    for token in ("x" * 43, first):
        attacker.plant_session(token)
        assert "Sign out" not in await served.home(attacker)
    assert "Sign out" in await served.home(victim)


async def test_the_attempts_cookie_is_sealed_and_comes_along_from_the_provider(served: OpenIdConsole) -> None:
    browser = served.console.new_browser()
    async with browser.session.get(served.console.url + BEGIN, allow_redirects=False) as answer:
        cookie, asked = answer.headers["Set-Cookie"], URL(answer.headers["Location"])
    assert "SameSite=Lax" in cookie and "HttpOnly" in cookie and "Max-Age=600" in cookie
    assert asked.query["state"] not in cookie and asked.query["nonce"] not in cookie


FAULTS: dict[str, Callable[[LoginProvider], Any]] = {
    "an error": lambda provider: setattr(provider, "status", 503),
    "no answer": lambda provider: setattr(provider, "hangs", True),
    "another issuer": lambda provider: provider.metadata.update(issuer="https://login.example"),
    "no keys": lambda provider: setattr(provider, "published", []),
    "an address without TLS": lambda provider: provider.metadata.update(
        token_endpoint="http://login.example/token"
    ),
    "a closed port": lambda provider: provider.metadata.update(
        token_endpoint=f"http://127.0.0.1:{free_port()}/token"
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_provider_that_is_down_has_a_clear_page_and_passwords_go_on(
    served: OpenIdConsole, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.console.openid.identity_provider.DEADLINE_SECONDS", 0.2)
    FAULTS[fault](served.provider)
    browser = served.console.new_browser()
    page = await served.sign_in(browser)
    assert page.status == 503 and "identity provider does not answer" in page.visible_text
    assert (await browser.sign_in("ioana")).status == 200


async def test_rights_are_those_the_settings_give_now(served: OpenIdConsole) -> None:
    browser, openid = served.console.new_browser(), served.console.site.openid
    await served.sign_in(browser)
    assert openid and "Sign out" in await served.home(browser)
    openid.provider.settings = openid.provider.settings.model_copy(update={"groups": {}})
    assert "Sign out" not in await served.home(browser)


async def test_a_name_stays_with_its_owner_for_good(served: OpenIdConsole) -> None:
    user, names = served.provider.user, list[str]()
    for subject, name in (("u-9", "Ana.Pop@example.net"), ("u-9", "boss"), ("u-8", "ana.pop-example.net")):
        user |= {"sub": subject, "preferred_username": name}
        await served.sign_in(served.console.new_browser())
        names.append((await served.console.audit_entries("console.sign_in"))[-1][1])
    assert names == ["ana.pop-example.net", "ana.pop-example.net", "ana.pop-example.net-2"]


async def test_a_password_users_name_is_taken_by_nobody_else(served: OpenIdConsole) -> None:
    served.provider.user["preferred_username"] = "adela"
    browser = served.console.new_browser()
    await served.sign_in(browser)
    home = await served.home(browser)
    assert "adela-2" in home and "What staff did" not in home


async def test_after_a_sign_out_the_providers_own_is_offered(served: OpenIdConsole) -> None:
    browser = served.console.new_browser()
    await served.sign_in(browser)
    await browser.get("/console")
    page = await browser.submit_to("/console/sign-out")
    assert "Sign out at the identity provider" in page.visible_text and not browser.session_token
    where = served.console.url + "/console/openid/sign-out"
    async with browser.session.get(where, allow_redirects=False) as answer:
        assert answer.headers["Location"].startswith(f"{served.provider.url}/logout?client_id={CLIENT_ID}&")


async def test_without_a_file_of_users_there_is_no_password_form(
    sandbox: GatewaySandbox, tmp_path: Path
) -> None:
    openid = {"issuer": "http://127.0.0.1:1", "client_id": "c", "groups": GROUPS}
    async with serve_console(sandbox, tmp_path, users_file="", openid=openid) as console:
        page = await console.new_browser().get("/console/sign-in")
        assert 'name="password"' not in page.text and "company account" in page.text
        assert (await console.new_browser().post("/console/sign-in", {"name": "ioana"})).status == 405
