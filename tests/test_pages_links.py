"""Pages behind magic links: postal address for paper bills, confirmation of an e-mail address."""

import asyncio
from datetime import timedelta

import pytest

from flows.domain.records import Preference
from storage.privacy.data_map import Owner
from tests.pages import ADDRESS, ANA, BARBU, BILL, CONFIRM, Browser, Seen, Street, outline
from tests.pages import page_server as page_server
from tests.pages import sandbox as sandbox
from tests.pages import sandboxes as sandboxes
from tests.sql import rows_in

HOME = "Str. Fântânii nr. 7, București"
MAIL = "ana@example.test"
GONE = "Linkul nu este valabil"
SUBSCRIPTION = "orange-ro-40740000101"


async def chosen(page_server: Street) -> Preference:
    """Return Ana's stored preference."""
    people = page_server.sandbox.house.conversations.people["orange-ro"]
    return await people.world.ledger.preference("orange-ro", SUBSCRIPTION)


async def media(page_server: Street, account: str) -> str:
    return await page_server.sandbox.weather.inner.media(account)


async def sheet(page_server: Street, token: str) -> tuple[Browser, Seen]:
    """Return a visitor with the address form open."""
    browser = page_server.browser()
    return browser, await browser.submit(ADDRESS, link=token)


async def test_R14_paper_to_any_address(page_server: Street) -> None:
    await page_server.phone.dial(BARBU, "*100#")
    token = await page_server.address_link(BARBU)
    browser, page = await sheet(page_server, token)
    assert page.status == 200 and "Adresa" in page.visible_text and token not in page.text
    outline(page)
    done = await browser.submit(ADDRESS, address=HOME)
    assert done.status == 200 and "Gata! Factura vine de acum pe hârtie" in done.visible_text
    outline(done)
    assert await media(page_server, BARBU[1:]) == "paper"
    people = page_server.sandbox.house.conversations.people["orange-ro"]
    kept = await people.world.ledger.preference("orange-ro", f"orange-ro-{BARBU[1:]}")
    assert kept.address == HOME
    assert await rows_in(page_server.sandbox.house.database, "consents") == 1


async def test_R14_a_used_link_is_gone(page_server: Street) -> None:
    token = await page_server.address_link()
    browser, _page = await sheet(page_server, token)
    await browser.submit(ADDRESS, address=HOME)
    _browser, page = await sheet(page_server, token)
    assert page.status == 404 and GONE in page.visible_text
    outline(page)


async def test_R14_links_live_72_hours(page_server: Street) -> None:
    token = await page_server.address_link()
    page_server.sandbox.clock.wait(timedelta(hours=72, seconds=-1))
    assert (await sheet(page_server, token))[1].status == 200
    page_server.sandbox.clock.wait(timedelta(seconds=1))
    assert (await sheet(page_server, token))[1].status == 404


async def test_R14_bad_used_and_expired_links_are_one_page(page_server: Street) -> None:
    used, old, mail = (
        await page_server.address_link(),
        await page_server.address_link(),
        await page_server.email_link(MAIL),
    )
    browser, _page = await sheet(page_server, used)
    await browser.submit(ADDRESS, address=HOME)
    seen = [(await sheet(page_server, token))[1].bare for token in (used, mail, "A" * 32, "", "x" * 200, "😀")]
    page_server.sandbox.clock.wait(timedelta(hours=73))
    seen.append((await sheet(page_server, old))[1].bare)
    assert len(set(seen)) == 1


@pytest.mark.parametrize(
    "address",
    ["ab", "a" * 201, "   \r\n  ", "Str. 1\x07, Cluj", "Str. 1\u202e, Cluj"],
    ids=["2", "201", "blank", "bell", "override"],
)
async def test_R14_what_is_no_address_may_be_typed_again(page_server: Street, address: str) -> None:
    browser, _page = await sheet(page_server, await page_server.address_link())
    page = await browser.submit(ADDRESS, address=address)
    assert page.status == 200 and 'role="alert"' in page.text and "Gata!" not in page.visible_text
    outline(page)
    assert "Gata!" in (await browser.submit(ADDRESS, address=HOME)).visible_text


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("abc", "abc"),
        ("a" * 200, "a" * 200),
        (" Str. 1 \r\n\r\n Cluj", "Str. 1, Cluj"),
        ("S\u0327os 1", "Şos 1"),
    ],
    ids=["3", "200", "two lines", "composed"],
)
async def test_R14_an_address_is_kept_on_one_line(page_server: Street, address: str, kept: str) -> None:
    browser, _page = await sheet(page_server, await page_server.address_link())
    assert "Gata!" in (await browser.submit(ADDRESS, address=address)).visible_text
    assert (await chosen(page_server)).address == kept


async def test_T30_the_same_address_sent_again_is_told_the_same_and_changes_nothing(
    page_server: Street,
) -> None:
    browser, page = await sheet(page_server, await page_server.address_link())
    fields = page.hidden | {"address": HOME}
    twins = [await browser.post(ADDRESS, fields) for _ in range(2)]
    assert twins[0].body == twins[1].body
    other = await browser.post(ADDRESS, fields | {"address": "Str. Alta 9"})
    assert other.status == 404
    assert (await chosen(page_server)).address == HOME
    assert await rows_in(page_server.sandbox.house.database, "consents") == 1


async def test_T30_parallel_submits_change_the_address_once(page_server: Street) -> None:
    browser, page = await sheet(page_server, await page_server.address_link())
    wishes = [page.hidden | {"address": f"Str. Paralela {number % 2}"} for number in range(12)]
    told = await asyncio.gather(*(browser.post(ADDRESS, fields) for fields in wishes))
    kept = (await chosen(page_server)).address
    winners = {wishes[index]["address"] for index, seen in enumerate(told) if seen.status == 200}
    assert winners == {kept}
    assert {seen.status for seen in told} <= {200, 404, 503}
    assert await rows_in(page_server.sandbox.house.database, "consents") == 1


async def test_R14_a_form_slip_is_worthless_elsewhere_or_later(page_server: Street) -> None:
    browser, page = await sheet(page_server, await page_server.address_link())
    assert (await browser.submit(ADDRESS, slip="A" * 43, address=HOME)).status == 404
    page_server.sandbox.clock.wait(timedelta(minutes=30))
    assert (await browser.post(ADDRESS, page.hidden | {"address": HOME})).status == 404
    assert (await chosen(page_server)).address == ""


async def test_R14_a_billing_outage_uses_up_no_link(page_server: Street) -> None:
    browser, page = await sheet(page_server, await page_server.address_link())
    page_server.sandbox.weather.become("down")
    fields = page.hidden | {"address": HOME}
    assert (await browser.post(ADDRESS, fields)).status == 503
    page_server.sandbox.weather.become("up")
    assert "Gata!" in (await browser.post(ADDRESS, fields)).visible_text


async def confirmed(page_server: Street, token: str) -> Seen:
    return await page_server.browser().submit(CONFIRM, link=token)


async def test_T8_the_link_validates_the_address_once(page_server: Street) -> None:
    token = await page_server.email_link(MAIL)
    assert (await chosen(page_server)).email_validated is False
    page = await confirmed(page_server, token)
    assert (
        page.status == 200 and "Adresa de e-mail este confirmată" in page.visible_text and MAIL not in page.text
    )
    outline(page)
    assert await chosen(page_server) == Preference(notify="email", email=MAIL, email_validated=True)
    assert (await confirmed(page_server, token)).status == 404


async def test_T8_looking_at_the_page_validates_nothing(page_server: Street) -> None:
    await page_server.email_link(MAIL)
    page = await page_server.browser().get(CONFIRM)
    assert page.status == 200 and '<script type="module" src="/orange-ro/link.js">' in page.text
    outline(page)
    assert (await chosen(page_server)).email_validated is False


async def test_T8_a_link_to_an_address_replaced_since_says_so(page_server: Street) -> None:
    old, new = await page_server.email_link(MAIL), await page_server.email_link("ana.noua@example.test")
    page = await confirmed(page_server, old)
    assert page.status == 200 and "altă adresă" in page.visible_text
    assert (await chosen(page_server)).email_validated is False
    assert "confirmată" in (await confirmed(page_server, new)).visible_text


async def test_T8_links_live_72_hours(page_server: Street) -> None:
    token = await page_server.email_link(MAIL)
    page_server.sandbox.clock.wait(timedelta(hours=72))
    assert (await confirmed(page_server, token)).status == 404
    assert (await chosen(page_server)).email_validated is False


async def test_T8_the_whole_link_typed_by_hand_is_fine(page_server: Street) -> None:
    token = await page_server.email_link(MAIL)
    assert (
        "confirmată"
        in (await confirmed(page_server, f" https://gw.example.net{CONFIRM}#{token} ")).visible_text
    )


async def test_T8_parallel_confirmations_agree(page_server: Street) -> None:
    browser, token = page_server.browser(), await page_server.email_link(MAIL)
    fields = (await browser.get(CONFIRM)).hidden | {"link": token}
    told = await asyncio.gather(*(browser.post(CONFIRM, fields) for _ in range(8)))
    assert any("confirmată" in seen.visible_text for seen in told)
    assert (await chosen(page_server)).email_validated is True


async def test_T17_two_thousand_random_links_open_nothing(page_server: Street) -> None:
    await page_server.address_link(ANA)
    token = await page_server.email_link(MAIL)
    browser = page_server.browser()
    fields = (await browser.get(CONFIRM)).hidden
    guesses = [f"{int(token, 16) ^ (1 << bit):032x}" for bit in range(128)]
    guesses += [f"{number * 7919:032x}" for number in range(2000 - len(guesses))]
    seen = {(await browser.post(CONFIRM, fields | {"link": guess})).bare for guess in guesses}
    assert len(seen) == 1 and next(iter(seen))[0] == 404


async def test_links_of_one_purpose_open_no_other_page(page_server: Street) -> None:
    token = await page_server.address_link()
    assert (await confirmed(page_server, token)).status == 404
    assert "79,90" not in (await page_server.browser().get(f"{BILL}?lang=ro&link={token}")).text


async def test_reads_and_changes_on_pages_are_in_the_audit_trail(page_server: Street) -> None:
    await page_server.browser().submit(CONFIRM, link=await page_server.email_link(MAIL))
    browser, _ = await sheet(page_server, await page_server.address_link(BARBU))
    await browser.submit(ADDRESS, address=HOME)
    browser = page_server.browser()
    await browser.submit(BILL, number=ANA, code=await page_server.code())
    await browser.get("/orange-ro/bill.pdf")
    house = page_server.sandbox.house
    await house.notebook.flush()
    await house.audit.chain()
    assert (await house.audit.verify(page_server.sandbox.clock())).faults == ()
    told = await house.privacy.export(Owner("orange-ro", ANA, SUBSCRIPTION))
    mine = {line["action"] for line in told["audit"]}
    assert {"web.confirm", "web.bill", "web.document"} <= mine and "web.address" not in mine
    hers = await house.privacy.export(Owner("orange-ro", BARBU, "orange-ro-40740000102"))
    assert "web.address" in {line["action"] for line in hers["audit"]}
