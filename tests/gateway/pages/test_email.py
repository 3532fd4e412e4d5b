"""The e-mail page behind an SMS link: the address that registration on a keypad leaves out (T7)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from flows.domain.bill_delivery import BillDestination
from flows.domain.records import Preference
from gateway.pages.languages import text_direction
from storage.privacy.data_map import DataSubject
from tests.support.databases import dump_table
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.page_client import (
    ADDRESS,
    PageResponse,
    PageServer,
    PageVisitor,
    build_pages,
    parse_strictly,
    serve_pages,
)

AMINE, LEILA = "+21698000101", "+21671000102"
MAILBOX, CONFIRM = "/tunisie-telecom/mailbox", "/tunisie-telecom/confirm"
EMAIL_ADDRESS = "amine@example.test"
SUBSCRIPTION = "tunisie-telecom-21698000101"
PENDING_TEXT = {"fr": "En attente de validation", "ar": "في انتظار التأكيد"}
LINK_EXPIRED_TEXT = "n'est pas valable"


@pytest.fixture
async def page_server(sandboxes: SandboxFactory) -> AsyncIterator[PageServer]:
    async with (
        sandboxes.open(operator="tunisie-telecom") as sandbox,
        serve_pages(sandbox, build_pages(sandbox)) as served,
    ):
        yield served


async def request_menu_link(page_server: PageServer) -> str:
    """Request a link on the menu and return its token; no effect but the last answer's is dialled ahead."""
    await page_server.phone.dial(AMINE, "*101*1*1#")
    await page_server.phone.press("1")
    return await page_server.latest_link_token()


async def visitor_with_form(
    page_server: PageServer, token: str, language: str = "fr"
) -> tuple[PageVisitor, PageResponse]:
    """Return a visitor with the e-mail form open."""
    browser = page_server.new_visitor()
    return browser, await browser.submit(f"{MAILBOX}?lang={language}", link=token)


async def read_preference(page_server: PageServer) -> Preference:
    ports = page_server.sandbox.container.operators["tunisie-telecom"]
    return await ports.ledger.get_preference("tunisie-telecom", SUBSCRIPTION)


@pytest.mark.parametrize("language", ["fr", "ar"])
async def test_T7_the_address_is_typed_behind_the_link_and_waits_for_its_validation(
    page_server: PageServer, language: str
) -> None:
    token = await request_menu_link(page_server)
    browser, page = await visitor_with_form(page_server, token, language)
    assert page.status == 200 and token not in page.text and "<script" not in page.text
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert parse_strictly(page).root["dir"] == text_direction(language)
    done = await browser.submit(f"{MAILBOX}?lang={language}", mailbox=EMAIL_ADDRESS)
    assert (
        done.status == 200
        and PENDING_TEXT[language] in done.visible_text
        and EMAIL_ADDRESS not in done.visible_text
    )
    parse_strictly(done)
    kept = await read_preference(page_server)
    assert (kept.email, kept.email_validated) == (EMAIL_ADDRESS, False)
    assert "98***101 à valider" in (await page_server.phone.send_text(AMINE, "85000", "ETAT")).lines


async def test_T7_T8_the_email_is_sent_and_its_link_completes_the_registration(page_server: PageServer) -> None:
    browser, _page = await visitor_with_form(page_server, await request_menu_link(page_server))
    await browser.submit(MAILBOX, mailbox=EMAIL_ADDRESS)
    letter = (await page_server.sandbox.messages.collect_new())[-1]
    assert (letter.route, letter.to) == ("email", EMAIL_ADDRESS)
    await page_server.new_visitor().submit(CONFIRM, link=letter.body.partition("#")[2].split()[0])
    billing = page_server.sandbox.container.operators["tunisie-telecom"].billing
    assert (await read_preference(page_server)).email_validated
    assert await billing.get_media(AMINE[1:]) == BillDestination("email", EMAIL_ADDRESS)


async def test_T7_a_caller_gets_the_link_for_the_line_he_proved(page_server: PageServer) -> None:
    billing = page_server.sandbox.container.operators["tunisie-telecom"].billing
    await page_server.phone.dial(AMINE, "*101*1*2*2#")
    for key in ("71000102", "88441207"):
        await page_server.phone.press(key)
    await page_server.phone.press("1")
    browser, _page = await visitor_with_form(page_server, await page_server.latest_link_token())
    assert PENDING_TEXT["fr"] in (await browser.submit(MAILBOX, mailbox="leila.new@example.test")).visible_text
    hers = (await billing.get_subscriber(LEILA)).id
    ledger = page_server.sandbox.container.operators["tunisie-telecom"].ledger
    assert (await ledger.get_preference("tunisie-telecom", hers)).email == "leila.new@example.test"
    assert (await read_preference(page_server)).email == ""


async def test_T7_no_key_of_what_was_changed_holds_a_number(page_server: PageServer) -> None:
    browser, _page = await visitor_with_form(page_server, await request_menu_link(page_server))
    await browser.submit(MAILBOX, mailbox=EMAIL_ADDRESS)
    assert AMINE[1:] not in await dump_table(page_server.sandbox.container.database, "changes")


@pytest.mark.parametrize(
    "typed", ["", "amine", "amine@", "a b@x.test", f"{'a' * 65}@x.test", "a@x.test\r\nBcc: b@x.test"]
)
async def test_T7_what_is_no_address_may_be_typed_again(page_server: PageServer, typed: str) -> None:
    browser, _page = await visitor_with_form(page_server, await request_menu_link(page_server))
    page = await browser.submit(MAILBOX, mailbox=typed)
    assert page.status == 200 and "ne convient pas" in page.visible_text and "aria-invalid" in page.text
    parse_strictly(page)
    assert PENDING_TEXT["fr"] in (await browser.submit(MAILBOX, mailbox=EMAIL_ADDRESS)).visible_text


async def test_T7_bad_used_foreign_and_expired_links_are_one_page(page_server: PageServer) -> None:
    old, used = await request_menu_link(page_server), await request_menu_link(page_server)
    browser, _page = await visitor_with_form(page_server, used)
    await browser.submit(MAILBOX, mailbox=EMAIL_ADDRESS)
    letter = await page_server.latest_link_token()
    seen = [
        (await visitor_with_form(page_server, token))[1].without_tokens
        for token in (used, letter, "A" * 32, "", "😀")
    ]
    page_server.sandbox.clock.advance(timedelta(hours=72))
    seen.append((await visitor_with_form(page_server, old))[1].without_tokens)
    assert len(set(seen)) == 1 and seen[0][0] == 404


async def test_T7_a_form_that_is_not_ours_changes_nothing(page_server: PageServer) -> None:
    browser, page = await visitor_with_form(page_server, await request_menu_link(page_server))
    forged = page.hidden_fields | {"form_token": "0" * 64, "mailbox": EMAIL_ADDRESS}
    assert (await browser.post(MAILBOX, forged)).status == 403
    stolen = await page_server.new_visitor().post(MAILBOX, page.hidden_fields | {"mailbox": EMAIL_ADDRESS})
    assert stolen.status == 403 and (await read_preference(page_server)).email == ""


async def test_T7_a_form_slip_lives_half_an_hour_and_on_its_page_only(page_server: PageServer) -> None:
    browser, page = await visitor_with_form(page_server, await request_menu_link(page_server))
    assert (await browser.submit(MAILBOX, slip="A" * 43, mailbox=EMAIL_ADDRESS)).status == 404
    page_server.sandbox.clock.advance(timedelta(minutes=30))
    assert (await browser.post(MAILBOX, page.hidden_fields | {"mailbox": EMAIL_ADDRESS})).status == 404
    assert (await read_preference(page_server)).email == ""


async def test_T30_the_same_address_again_is_told_the_same_and_sends_nothing(page_server: PageServer) -> None:
    browser, page = await visitor_with_form(page_server, await request_menu_link(page_server))
    fields = page.hidden_fields | {"mailbox": EMAIL_ADDRESS}
    twins = [await browser.post(MAILBOX, fields) for _ in range(2)]
    assert twins[0].body == twins[1].body
    assert (await browser.post(MAILBOX, fields | {"mailbox": "b@example.test"})).status == 404
    letters = [each for each in await page_server.sandbox.messages.collect_new() if each.route == "email"]
    assert [each.to for each in letters] == [EMAIL_ADDRESS]


async def test_T30_of_concurrent_addresses_one_gets_an_email(page_server: PageServer) -> None:
    browser, page = await visitor_with_form(page_server, await request_menu_link(page_server))
    wishes = [page.hidden_fields | {"mailbox": f"a{number % 2}@example.test"} for number in range(8)]
    told = await asyncio.gather(*(browser.post(MAILBOX, fields) for fields in wishes))
    winners = {
        wish["mailbox"]
        for wish, seen in zip(wishes, told, strict=True)
        if PENDING_TEXT["fr"] in seen.visible_text
    }
    letters = [each.to for each in await page_server.sandbox.messages.collect_new() if each.route == "email"]
    assert winners == {(await read_preference(page_server)).email} == set(letters) and len(letters) == 1


async def test_T7_emails_are_rate_limited_and_the_link_is_not_used_up(page_server: PageServer) -> None:
    browser, page = await visitor_with_form(page_server, await request_menu_link(page_server))
    await page_server.phone.send_text(AMINE, "85000", "EMAIL first@example.test")
    fields = page.hidden_fields | {"mailbox": EMAIL_ADDRESS}
    assert "vient de partir" in (await browser.post(MAILBOX, fields)).visible_text
    page_server.sandbox.clock.advance(timedelta(minutes=1))
    assert PENDING_TEXT["fr"] in (await browser.post(MAILBOX, fields)).visible_text


async def test_T7_a_billing_outage_uses_up_no_link(page_server: PageServer) -> None:
    browser, page = await visitor_with_form(page_server, await request_menu_link(page_server))
    page_server.sandbox.faulty_billing.set_state("down")
    fields = page.hidden_fields | {"mailbox": EMAIL_ADDRESS}
    assert (await browser.post(MAILBOX, fields)).status == 503
    page_server.sandbox.faulty_billing.set_state("up")
    assert PENDING_TEXT["fr"] in (await browser.post(MAILBOX, fields)).visible_text


async def test_T7_a_link_for_one_page_opens_no_other(page_server: PageServer) -> None:
    token = await request_menu_link(page_server)
    for path in (CONFIRM, ADDRESS.replace("orange-ro", "tunisie-telecom")):
        assert (await page_server.new_visitor().submit(path, link=token)).status == 404


async def test_T7_an_address_given_on_the_page_is_in_the_audit_trail_and_in_no_log(
    page_server: PageServer, caplog: pytest.LogCaptureFixture
) -> None:
    token = await request_menu_link(page_server)
    with caplog.at_level("DEBUG", "dialtree"):
        browser, _page = await visitor_with_form(page_server, token)
        await browser.submit(MAILBOX, mailbox=EMAIL_ADDRESS)
    told = repr([record.__dict__ for record in caplog.records])
    assert "pages.email_entered" in told and EMAIL_ADDRESS not in told and token not in told
    house = page_server.sandbox.container
    await house.write_behind.flush()
    await house.audit.chain_entries()
    assert (await house.audit.verify_chain(page_server.sandbox.clock())).faults == ()
    mine = await house.privacy.export(DataSubject("tunisie-telecom", AMINE, SUBSCRIPTION))
    assert "web.mailbox" in {line["action"] for line in mine["audit"]}


async def test_R4_an_address_for_notices_is_typed_behind_a_link(sandboxes: SandboxFactory) -> None:
    async with sandboxes.open() as sandbox, serve_pages(sandbox, build_pages(sandbox)) as served:
        await served.phone.dial("+40740000101", "*100*1*1*6#")
        for key in ("2", "1"):
            await served.phone.press(key)
        token = await served.latest_link_token()
        browser = served.new_visitor()
        await browser.submit("/orange-ro/mailbox", link=token)
        page = await browser.submit("/orange-ro/mailbox", mailbox="ana@example.test")
        assert page.status == 200
        ports = sandbox.container.operators["orange-ro"]
        stored = await ports.ledger.get_preference("orange-ro", "orange-ro-40740000101")
        assert (stored.notify, stored.email, stored.email_validated) == ("email", "ana@example.test", False)
        account = (await ports.billing.get_subscriber("+40740000101")).account
        assert (await ports.billing.get_media(account)).media == "paper"
