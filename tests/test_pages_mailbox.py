"""The e-mail page behind an SMS link: the address that registration on a keypad leaves out (T7)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from flows.domain.records import Preference
from gateway.pages.languages import direction
from storage.privacy.data_map import Owner
from tests.pages import ADDRESS, Browser, Seen, Street, outline, pages, serving
from tests.sql import dumped
from tests.world import Worlds
from tests.world import worlds as worlds

AMINE, LEILA = "+21698000101", "+21671000102"
MAILBOX, CONFIRM = "/tunisie-telecom/mailbox", "/tunisie-telecom/confirm"
MAIL = "amine@example.test"
SUBSCRIPTION = "tunisie-telecom-21698000101"
PENDING = {"fr": "En attente de validation", "ar": "في انتظار التأكيد"}
GONE = "n'est pas valable"


@pytest.fixture
async def street(worlds: Worlds) -> AsyncIterator[Street]:
    async with worlds.open(operator="tunisie-telecom") as world, serving(world, pages(world)) as served:
        yield served


async def invited(street: Street) -> str:
    """Request a link on the menu and return its token."""
    await street.phone.dial(AMINE, "*101*1*1*1#")
    return await street.link()


async def sheet(street: Street, token: str, language: str = "fr") -> tuple[Browser, Seen]:
    """Return a visitor with the e-mail form open."""
    browser = street.browser()
    return browser, await browser.submit(f"{MAILBOX}?lang={language}", link=token)


async def chosen(street: Street) -> Preference:
    people = street.world.house.conversations.people["tunisie-telecom"]
    return await people.world.ledger.preference("tunisie-telecom", SUBSCRIPTION)


@pytest.mark.parametrize("language", ["fr", "ar"])
async def test_T7_the_address_is_typed_behind_the_link_and_waits_for_its_validation(
    street: Street, language: str
) -> None:
    token = await invited(street)
    browser, page = await sheet(street, token, language)
    assert page.status == 200 and token not in page.text and "<script" not in page.text
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert outline(page).root["dir"] == direction(language)
    done = await browser.submit(f"{MAILBOX}?lang={language}", mailbox=MAIL)
    assert done.status == 200 and PENDING[language] in done.visible_text and MAIL not in done.visible_text
    outline(done)
    kept = await chosen(street)
    assert (kept.email, kept.email_validated) == (MAIL, False)
    assert "98***101 à valider" in (await street.phone.text(AMINE, "85000", "ETAT")).lines


async def test_T7_T8_the_email_is_sent_and_its_link_completes_the_registration(street: Street) -> None:
    browser, _page = await sheet(street, await invited(street))
    await browser.submit(MAILBOX, mailbox=MAIL)
    letter = (await street.world.post.collect())[-1]
    assert (letter.route, letter.to) == ("email", MAIL)
    await street.browser().submit(CONFIRM, link=letter.body.partition("#")[2].split()[0])
    billing = street.world.house.conversations.people["tunisie-telecom"].world.billing
    assert (await chosen(street)).email_validated and await billing.media(AMINE[1:]) == "email"


async def test_T7_a_caller_gets_the_link_for_the_line_he_proved(street: Street) -> None:
    billing = street.world.house.conversations.people["tunisie-telecom"].world.billing
    await street.phone.dial(AMINE, "*101*1*2*2#")
    for key in ("71000102", "88441207"):
        await street.phone.press(key)
    await street.phone.press("1")
    browser, _page = await sheet(street, await street.link())
    assert PENDING["fr"] in (await browser.submit(MAILBOX, mailbox="leila.new@example.test")).visible_text
    hers = (await billing.subscriber(LEILA)).id
    ledger = street.world.house.conversations.people["tunisie-telecom"].world.ledger
    assert (await ledger.preference("tunisie-telecom", hers)).email == "leila.new@example.test"
    assert (await chosen(street)).email == ""


async def test_T7_no_key_of_what_was_changed_holds_a_number(street: Street) -> None:
    browser, _page = await sheet(street, await invited(street))
    await browser.submit(MAILBOX, mailbox=MAIL)
    assert AMINE[1:] not in await dumped(street.world.house.database, "changes")


@pytest.mark.parametrize(
    "typed", ["", "amine", "amine@", "a b@x.test", f"{'a' * 65}@x.test", "a@x.test\r\nBcc: b@x.test"]
)
async def test_T7_what_is_no_address_may_be_typed_again(street: Street, typed: str) -> None:
    browser, _page = await sheet(street, await invited(street))
    page = await browser.submit(MAILBOX, mailbox=typed)
    assert page.status == 200 and "ne convient pas" in page.visible_text and "aria-invalid" in page.text
    outline(page)
    assert PENDING["fr"] in (await browser.submit(MAILBOX, mailbox=MAIL)).visible_text


async def test_T7_bad_used_foreign_and_expired_links_are_one_page(street: Street) -> None:
    old, used = await invited(street), await invited(street)
    browser, _page = await sheet(street, used)
    await browser.submit(MAILBOX, mailbox=MAIL)
    letter = await street.link()
    seen = [(await sheet(street, token))[1].bare for token in (used, letter, "A" * 32, "", "😀")]
    street.world.clock.wait(timedelta(hours=72))
    seen.append((await sheet(street, old))[1].bare)
    assert len(set(seen)) == 1 and seen[0][0] == 404


async def test_T7_a_form_that_is_not_ours_changes_nothing(street: Street) -> None:
    browser, page = await sheet(street, await invited(street))
    forged = page.hidden | {"form_token": "0" * 64, "mailbox": MAIL}
    assert (await browser.post(MAILBOX, forged)).status == 403
    stolen = await street.browser().post(MAILBOX, page.hidden | {"mailbox": MAIL})
    assert stolen.status == 403 and (await chosen(street)).email == ""


async def test_T7_a_form_slip_lives_half_an_hour_and_on_its_page_only(street: Street) -> None:
    browser, page = await sheet(street, await invited(street))
    assert (await browser.submit(MAILBOX, slip="A" * 43, mailbox=MAIL)).status == 404
    street.world.clock.wait(timedelta(minutes=30))
    assert (await browser.post(MAILBOX, page.hidden | {"mailbox": MAIL})).status == 404
    assert (await chosen(street)).email == ""


async def test_T30_the_same_address_again_is_told_the_same_and_sends_nothing(street: Street) -> None:
    browser, page = await sheet(street, await invited(street))
    fields = page.hidden | {"mailbox": MAIL}
    twins = [await browser.post(MAILBOX, fields) for _ in range(2)]
    assert twins[0].body == twins[1].body
    assert (await browser.post(MAILBOX, fields | {"mailbox": "b@example.test"})).status == 404
    letters = [each for each in await street.world.post.collect() if each.route == "email"]
    assert [each.to for each in letters] == [MAIL]


async def test_T30_of_concurrent_addresses_one_gets_an_email(street: Street) -> None:
    browser, page = await sheet(street, await invited(street))
    wishes = [page.hidden | {"mailbox": f"a{number % 2}@example.test"} for number in range(8)]
    told = await asyncio.gather(*(browser.post(MAILBOX, fields) for fields in wishes))
    winners = {
        wish["mailbox"] for wish, seen in zip(wishes, told, strict=True) if PENDING["fr"] in seen.visible_text
    }
    letters = [each.to for each in await street.world.post.collect() if each.route == "email"]
    assert winners == {(await chosen(street)).email} == set(letters) and len(letters) == 1


async def test_T7_emails_are_rate_limited_and_the_link_is_not_used_up(street: Street) -> None:
    browser, page = await sheet(street, await invited(street))
    await street.phone.text(AMINE, "85000", "EMAIL first@example.test")
    fields = page.hidden | {"mailbox": MAIL}
    assert "vient de partir" in (await browser.post(MAILBOX, fields)).visible_text
    street.world.clock.wait(timedelta(minutes=1))
    assert PENDING["fr"] in (await browser.post(MAILBOX, fields)).visible_text


async def test_T7_a_billing_outage_uses_up_no_link(street: Street) -> None:
    browser, page = await sheet(street, await invited(street))
    street.world.weather.become("down")
    fields = page.hidden | {"mailbox": MAIL}
    assert (await browser.post(MAILBOX, fields)).status == 503
    street.world.weather.become("up")
    assert PENDING["fr"] in (await browser.post(MAILBOX, fields)).visible_text


async def test_T7_a_link_for_one_page_opens_no_other(street: Street) -> None:
    token = await invited(street)
    for path in (CONFIRM, ADDRESS.replace("orange-ro", "tunisie-telecom")):
        assert (await street.browser().submit(path, link=token)).status == 404


async def test_T7_an_address_given_on_the_page_is_in_the_audit_trail_and_in_no_log(
    street: Street, caplog: pytest.LogCaptureFixture
) -> None:
    token = await invited(street)
    with caplog.at_level("DEBUG", "dialtree"):
        browser, _page = await sheet(street, token)
        await browser.submit(MAILBOX, mailbox=MAIL)
    told = repr([record.__dict__ for record in caplog.records])
    assert "mailbox given" in told and MAIL not in told and token not in told
    house = street.world.house
    await house.notebook.flush()
    await house.audit.chain()
    assert (await house.audit.verify(street.world.clock())).faults == ()
    mine = await house.privacy.export(Owner("tunisie-telecom", AMINE, SUBSCRIPTION))
    assert "web.mailbox" in {line["action"] for line in mine["audit"]}
