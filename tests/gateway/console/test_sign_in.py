"""Sign-in to the console: sessions, fixation, CSRF, brute force, roles, headers."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from storage.console.sign_in_attempts import SOURCE_LIMIT, USER_LIMIT
from tests.support.console_site import ConsoleServer, serve_console, staff_user
from tests.support.console_site import console as console
from tests.support.databases import count_rows, dump_table
from tests.support.gateway_sandbox import GatewaySandbox
from tests.support.page_client import parse_strictly

PAGES = ("/console/sign-in", "/console", "/console/nothing", "/console/style.css")
SIGN_IN = "/console/sign-in"


async def test_a_user_signs_in_and_out(console: ConsoleServer) -> None:
    browser = await console.signed_in("mihai")
    assert "Sign out" in (await browser.get("/console")).visible_text
    left = await browser.submit_to("/console/sign-out")
    assert 'name="password"' in left.text and not browser.session_token
    assert 'name="password"' in (await browser.get("/console")).text
    assert await console.audit_entries("console.sign_in") == [("", "mihai", "", "ok")]
    assert await console.audit_entries("console.sign_out") == [("", "mihai", "", "ok")]


async def test_a_session_is_stored_as_a_hash_only(console: ConsoleServer) -> None:
    browser = await console.signed_in("mihai")
    stored = await dump_table(console.sandbox.container.database, "console_sessions")
    assert "mihai" in stored and browser.session_token not in stored


async def test_a_sign_in_takes_a_new_session_and_ends_the_one_it_came_with(console: ConsoleServer) -> None:
    victim = console.new_browser()
    victim.plant_session("x" * 43)
    await victim.sign_in("mihai")
    first = victim.session_token
    assert first != "x" * 43
    await victim.sign_in("mihai")
    attacker = console.new_browser()
    for token in ("x" * 43, first):
        attacker.plant_session(token)
        assert 'name="password"' in (await attacker.get("/console")).text
    assert "Sign out" in (await victim.get("/console")).text


@pytest.mark.parametrize(("step", "times"), [(16, 1), (14, 40)], ids=["idle", "absolute"])
async def test_a_session_ends_idle_and_in_any_case(console: ConsoleServer, step: int, times: int) -> None:
    browser, clock = await console.signed_in("mihai"), console.sandbox.clock
    assert "Sign out" in (await browser.get("/console")).text
    for _ in range(times):
        clock.advance(timedelta(minutes=step))
        page = await browser.get("/console")
    assert "Sign out" not in page.text


async def test_a_removed_user_or_a_new_password_ends_sessions_at_once(console: ConsoleServer) -> None:
    browser, other = await console.signed_in("mihai"), await console.signed_in("oscar")
    console.site.users.remove_user("mihai")
    console.site.users.save_user(staff_user("oscar", "another long password"))
    for each in (browser, other):
        assert 'name="password"' in (await each.get("/console")).text


@pytest.mark.parametrize("path", [SIGN_IN, "/console/sign-out"])
async def test_a_form_that_is_not_ours_is_refused(console: ConsoleServer, path: str) -> None:
    browser = await console.signed_in("mihai")
    foreign = (await console.signed_in("oscar")).form_tokens.get("/console/sign-out", "")
    for token in ("", "0" * 64, foreign):
        fields = {"name": "mihai", "password": "wrong", "form_token": token}
        assert (await browser.post(path, fields)).status == 403
    assert "Sign out" in (await browser.get("/console")).text


async def test_wrong_passwords_lock_a_name_whether_it_is_a_user_or_not(console: ConsoleServer) -> None:
    for name in ("mihai", "nobody"):
        browser = console.new_browser()
        pages = [await browser.sign_in(name, "wrong") for _ in range(USER_LIMIT.max_wrong + 1)]
        assert [page.status for page in pages] == [403] * USER_LIMIT.max_wrong + [429]
    assert (await console.new_browser().sign_in("mihai")).status == 429
    console.sandbox.clock.advance(USER_LIMIT.window + timedelta(seconds=1))
    assert (await console.new_browser().sign_in("mihai")).status == 200


async def test_one_source_that_tries_many_names_is_locked(console: ConsoleServer) -> None:
    browser = console.new_browser()
    statuses = [(await browser.sign_in(f"u{n}", "wrong")).status for n in range(SOURCE_LIMIT.max_wrong + 1)]
    assert statuses == [403] * SOURCE_LIMIT.max_wrong + [429]
    metrics = console.sandbox.container.metrics_registry.render_exposition().decode()
    assert 'dialtree_console_sign_ins_total{outcome="locked"} 1.0' in metrics


async def test_who_is_locked_fills_no_table(console: ConsoleServer) -> None:
    browser, database = console.new_browser(), console.sandbox.container.database
    for n in range(SOURCE_LIMIT.max_wrong):
        await browser.sign_in(f"u{n}", "wrong")
    before = [await count_rows(database, table) for table in ("code_budgets", "audit")]
    for name in ("mihai", "another", "third"):
        assert (await browser.sign_in(name, "wrong")).status == 429
    assert [await count_rows(database, table) for table in ("code_budgets", "audit")] == before


async def test_right_passwords_use_no_attempts_up(console: ConsoleServer) -> None:
    for _ in range(USER_LIMIT.max_wrong + 1):
        await console.signed_in("mihai")


async def test_what_was_typed_for_a_name_is_kept_nowhere(console: ConsoleServer) -> None:
    await console.new_browser().sign_in("my-secret-password", "x")
    assert await console.audit_entries("console.sign_in") == [("", "", "", "wrong")]


async def test_a_sign_in_leads_to_our_own_page_whatever_the_address_asks(console: ConsoleServer) -> None:
    browser, evil = console.new_browser(), "?next=https://evil.example&url=//evil.example"
    await browser.get(SIGN_IN + evil)
    fields = {"form_token": browser.form_tokens[SIGN_IN], "name": "mihai", "password": "correct horse battery"}
    async with browser.session.post(
        console.url + SIGN_IN + evil, data={**fields, "next": "https://evil.example"}, allow_redirects=False
    ) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/console")


async def test_every_answer_has_strict_headers_and_no_script(console: ConsoleServer) -> None:
    browser = await console.signed_in("mihai")
    for path in PAGES:
        headers = (await browser.get(path)).headers
        assert "script-src" not in headers["Content-Security-Policy"]
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert headers["X-Frame-Options"] == "DENY" and headers["Referrer-Policy"] == "no-referrer"


async def test_cookies_are_strict_and_secure_behind_https(sandbox: GatewaySandbox, tmp_path: Path) -> None:
    async with serve_console(sandbox, tmp_path, public_url="https://console.example") as served:
        async with served.new_browser().session.get(f"{served.url}{SIGN_IN}") as answer:
            cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("__Host-console_form=")
        for word in ("HttpOnly", "Secure", "SameSite=Strict", "Path=/"):
            assert word in cookie


@pytest.mark.parametrize("language", ["en", "fr", "ro", "ar"])
async def test_the_form_is_sound_html_in_every_language(console: ConsoleServer, language: str) -> None:
    page = await console.new_browser().get(f"{SIGN_IN}?lang={language}")
    root = parse_strictly(page).root
    assert root == {"lang": language, "dir": "rtl" if language == "ar" else "ltr"}


async def test_a_chosen_language_stays(console: ConsoleServer) -> None:
    browser = console.new_browser()
    await browser.get(f"{SIGN_IN}?lang=ro")
    assert re.search('<html lang="ro"', (await browser.get(SIGN_IN)).text)
