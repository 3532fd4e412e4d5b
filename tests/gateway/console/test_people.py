"""A person's story in the console: why a code never came, whose page it is, what it shows and hides."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from sqlalchemy import text

from gateway.console.people import LOOKUPS_PER_MINUTE, PEOPLE_PATH
from tests.support.console_site import ConsoleServer, StaffMember
from tests.support.console_site import console as console
from tests.support.page_client import ANA, parse_strictly

FRESH_SIM = "+40740000106"
HOSTILE = "<script>alert(1)</script>"


async def address_of(browser: StaffMember, number: str) -> str:
    """Return the sealed address of a person's page."""
    token = (await browser.get(PEOPLE_PATH)) and browser.form_tokens[PEOPLE_PATH]
    fields = {"form_token": token, "operator": "orange-ro", "number": number}
    url = browser.url + PEOPLE_PATH
    async with browser.session.post(url, data=fields, allow_redirects=False) as answer:
        return answer.headers["Location"]


async def test_an_agent_finds_why_a_fresh_sim_got_no_code(console: ConsoleServer) -> None:
    await console.phone.send_text(FRESH_SIM, "477", "ElenaSim6")
    page = await (await console.signed_in("ioana")).look_up(FRESH_SIM)
    assert (
        "A code was asked for on 2026-03-10 09:00 and not sent: the SIM card was changed" in page.visible_text
    )
    assert "no code is sent before 2026-03-13 08:00" in page.visible_text


async def test_a_story_shows_messages_steps_and_stop(console: ConsoleServer) -> None:
    for body in ("EFACTURA", "STOP"):
        await console.phone.send_text(ANA, "477", body)
    await console.sandbox.messages.collect_new()
    page = await (await console.signed_in("ioana")).look_up(ANA)
    shown = page.visible_text
    assert "The number sent STOP on 2026-03-10 09:00" in shown and "messages.stop" in shown
    assert "einvoice.activate" in shown and "einvoice.confirm" in shown and "stopped by STOP" in shown


async def test_the_number_is_in_no_address_and_shown_masked(console: ConsoleServer) -> None:
    browser = await console.signed_in("ioana")
    address = await address_of(browser, ANA)
    plain = urlsafe_b64decode(address.rpartition("/")[2])
    assert b"740000101" not in plain and "740000101" not in address
    page = await browser.get(address)
    assert "740000101" not in page.text and "...0101" in page.text


async def test_a_code_is_never_shown(console: ConsoleServer) -> None:
    await console.phone.send_text(ANA, "477", "ThankYou1")
    (notice,) = [each for each in await console.sandbox.messages.collect_new() if each.kind == "code"]
    (code,) = re.findall(r"\b\d{6}\b", notice.body)
    page = await (await console.signed_in("ioana")).look_up(ANA)
    assert code not in page.text and "its text is never shown" in page.visible_text


async def test_every_look_is_in_the_audit_log_with_who(console: ConsoleServer) -> None:
    browser = await console.signed_in("ioana")
    address = await address_of(browser, ANA)
    for _ in range(2):
        await browser.get(address)
    assert await console.audit_entries("console.view") == [("orange-ro", "ioana", "story", "ok")] * 2


async def test_what_cannot_be_audited_is_not_shown(console: ConsoleServer) -> None:
    browser = await console.signed_in("ioana")
    address = await address_of(browser, ANA)
    fault = "CREATE TRIGGER no_audit BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END"
    await console.sandbox.container.database.write(lambda connection: connection.execute(text(fault)))
    page = await browser.get(address)
    assert page.status == 503 and "Steps" not in page.visible_text


@pytest.mark.parametrize("name", ["oscar", "mihai"])
async def test_a_role_without_people_is_refused_and_recorded(console: ConsoleServer, name: str) -> None:
    agent, other = await console.signed_in("ioana"), await console.signed_in(name)
    token = agent.form_tokens.get(PEOPLE_PATH, "") or "0" * 64
    address = await address_of(agent, ANA)
    fields = {"form_token": token, "operator": "orange-ro", "number": ANA}
    assert (await other.post(PEOPLE_PATH, fields)).status == 403
    for path in (PEOPLE_PATH, address):
        assert (await other.get(path)).status == 403
    assert await console.audit_entries("console.refused") == [("", name, "people", "refused")] * 3


async def test_another_operators_people_are_out_of_reach(console: ConsoleServer) -> None:
    stranger, agent = await console.signed_in("ines"), await console.signed_in("ioana")
    assert (await stranger.look_up(ANA)).status == 403
    page = await stranger.get(await address_of(agent, ANA))
    assert page.status == 404 and "Steps" not in page.visible_text
    assert await console.audit_entries("console.refused") == [("", "ines", "people orange-ro", "refused")]
    assert await console.audit_entries("console.view") == []


async def test_an_address_of_another_session_or_altered_opens_nothing(console: ConsoleServer) -> None:
    first, again = await console.signed_in("ioana"), await console.signed_in("ioana")
    address = await address_of(first, ANA)
    raw = bytearray(urlsafe_b64decode(address.rpartition("/")[2]))
    raw[-1] ^= 1
    altered = f"{PEOPLE_PATH}/{urlsafe_b64encode(raw).decode()}"
    assert (await again.get(address)).status == 404
    for path in (altered, f"{PEOPLE_PATH}/x", f"{PEOPLE_PATH}/{'A' * 400}"):
        assert (await first.get(path)).status == 404


async def test_an_operator_taken_from_a_user_is_gone_at_once(console: ConsoleServer) -> None:
    browser = await console.signed_in("ioana")
    address = await address_of(browser, ANA)
    user = console.site.users.read_users()["ioana"]
    console.site.users.save_user(type(user)(user.name, user.password_hash, user.roles, frozenset({"bouygues"})))
    assert (await browser.get(address)).status == 404


async def test_stored_text_is_text(console: ConsoleServer) -> None:
    row = {"of": "orange-ro", "to": ANA, "reason": HOSTILE}
    await console.phone.send_text(ANA, "477", "EFACTURA")
    await console.sandbox.messages.collect_new()
    poison = text('UPDATE outbox SET reason = :reason WHERE operator = :of AND "to" = :to')
    await console.sandbox.container.database.write(lambda connection: connection.execute(poison, row))
    page = await (await console.signed_in("ioana")).look_up(ANA)
    assert "<script" not in page.text and HOSTILE in page.visible_text.replace("&lt;", "<")


async def test_a_user_looks_so_many_people_up_and_no_more(console: ConsoleServer) -> None:
    browser = await console.signed_in("ioana")
    address = await address_of(browser, ANA)
    statuses = [(await browser.get(address)).status for _ in range(LOOKUPS_PER_MINUTE)]
    assert statuses[-1] == 429 and set(statuses[:-1]) == {200}


async def test_what_is_no_number_is_said_so(console: ConsoleServer) -> None:
    page = await (await console.signed_in("ioana")).look_up("hello")
    assert page.status == 422 and "no number of this operator" in page.visible_text


async def test_a_number_billing_does_not_know_says_so(console: ConsoleServer) -> None:
    page = await (await console.signed_in("ioana")).look_up("+40740000999")
    assert "Billing knows no subscriber" in page.visible_text


async def test_with_billing_down_the_rest_is_shown(console: ConsoleServer) -> None:
    await console.phone.send_text(ANA, "477", "STOP")
    console.sandbox.faulty_billing.set_state("down")
    page = await (await console.signed_in("ioana")).look_up(ANA)
    assert "Billing does not answer" in page.visible_text and "sent STOP" in page.visible_text


async def test_times_keep_their_order_in_arabic(console: ConsoleServer) -> None:
    await console.phone.send_text(ANA, "477", "STOP")
    browser = await console.signed_in("ioana")
    page = await browser.get(f"{await address_of(browser, ANA)}?lang=ar")
    assert "\u20662026-03-10 09:00\u2069" in page.text


async def test_codes_asked_for_are_told_by_their_local_times(console: ConsoleServer) -> None:
    await console.phone.send_text(ANA, "477", "ThankYou1")
    page = await (await console.signed_in("ioana")).look_up(ANA)
    assert "Codes asked for in the last day when 2026-03-10 09:00 " in page.visible_text


@pytest.mark.parametrize("language", ["en", "fr", "ro", "ar"])
async def test_a_story_is_sound_html_in_every_language(console: ConsoleServer, language: str) -> None:
    for body in ("EFACTURA", "ThankYou1", "STOP", "Wrong1"):
        await console.phone.send_text(ANA, "477", body)
    browser = await console.signed_in("ioana")
    page = await browser.get(f"{await address_of(browser, ANA)}?lang={language}")
    assert parse_strictly(page).root["lang"] == language
