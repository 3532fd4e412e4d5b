"""Pages behind magic links: postal address for paper bills, confirmation of an e-mail address."""

import asyncio
from datetime import timedelta

import pytest

from flows.domain.records import Preference
from storage.privacy.data_map import DataSubject
from tests.support.databases import count_rows
from tests.support.page_client import (
    ADDRESS,
    ANA,
    BARBU,
    BILL,
    CONFIRM,
    PageResponse,
    PageServer,
    PageVisitor,
    parse_strictly,
)
from tests.support.page_client import page_server as page_server
from tests.support.page_client import sandbox as sandbox
from tests.support.page_client import sandboxes as sandboxes

HOME_ADDRESS = "Str. Fântânii nr. 7, București"
EMAIL_ADDRESS = "ana@example.test"
LINK_EXPIRED_TEXT = "Linkul nu este valabil"
SUBSCRIPTION = "orange-ro-40740000101"


async def read_preference(page_server: PageServer) -> Preference:
    """Return Ana's stored preference."""
    ports = page_server.sandbox.container.operators["orange-ro"]
    return await ports.ledger.get_preference("orange-ro", SUBSCRIPTION)


async def read_media(page_server: PageServer, account: str) -> str:
    return (await page_server.sandbox.faulty_billing.inner.get_media(account)).media


async def visitor_with_form(page_server: PageServer, token: str) -> tuple[PageVisitor, PageResponse]:
    """Return a visitor with the address form open."""
    browser = page_server.new_visitor()
    return browser, await browser.submit(ADDRESS, link=token)


async def test_R14_paper_to_any_address(page_server: PageServer) -> None:
    await page_server.phone.dial(BARBU, "*100#")
    token = await page_server.request_address_link(BARBU)
    browser, page = await visitor_with_form(page_server, token)
    assert page.status == 200 and "Address for paper" in page.visible_text and token not in page.text
    parse_strictly(page)
    done = await browser.submit(f"{ADDRESS}?lang=en", address=HOME_ADDRESS)
    assert done.status == 200 and "Done! Your bills now come on paper" in done.visible_text
    parse_strictly(done)
    assert await read_media(page_server, BARBU[1:]) == "paper"
    ports = page_server.sandbox.container.operators["orange-ro"]
    kept = await ports.ledger.get_preference("orange-ro", f"orange-ro-{BARBU[1:]}")
    assert kept.address == HOME_ADDRESS
    assert await count_rows(page_server.sandbox.container.database, "consents") == 1


async def test_R14_a_used_link_is_gone(page_server: PageServer) -> None:
    token = await page_server.request_address_link()
    browser, _page = await visitor_with_form(page_server, token)
    await browser.submit(ADDRESS, address=HOME_ADDRESS)
    _browser, page = await visitor_with_form(page_server, token)
    assert page.status == 404 and LINK_EXPIRED_TEXT in page.visible_text
    parse_strictly(page)


async def test_R14_links_live_72_hours(page_server: PageServer) -> None:
    token = await page_server.request_address_link()
    page_server.sandbox.clock.advance(timedelta(hours=72, seconds=-1))
    assert (await visitor_with_form(page_server, token))[1].status == 200
    page_server.sandbox.clock.advance(timedelta(seconds=1))
    assert (await visitor_with_form(page_server, token))[1].status == 404


async def test_R14_bad_used_and_expired_links_are_one_page(page_server: PageServer) -> None:
    used, old, mail = (
        await page_server.request_address_link(),
        await page_server.request_address_link(),
        await page_server.request_email_link(EMAIL_ADDRESS),
    )
    browser, _page = await visitor_with_form(page_server, used)
    await browser.submit(ADDRESS, address=HOME_ADDRESS)
    seen = [
        (await visitor_with_form(page_server, token))[1].without_tokens
        for token in (used, mail, "A" * 32, "", "x" * 200, "😀")
    ]
    page_server.sandbox.clock.advance(timedelta(hours=73))
    seen.append((await visitor_with_form(page_server, old))[1].without_tokens)
    assert len(set(seen)) == 1


@pytest.mark.parametrize(
    "address",
    ["ab", "a" * 201, "   \r\n  ", "Str. 1\x07, Cluj", "Str. 1\u202e, Cluj"],
    ids=["2", "201", "blank", "bell", "override"],
)
async def test_R14_what_is_no_address_may_be_typed_again(page_server: PageServer, address: str) -> None:
    browser, _page = await visitor_with_form(page_server, await page_server.request_address_link())
    page = await browser.submit(ADDRESS, address=address)
    assert page.status == 200 and 'role="alert"' in page.text and "Gata!" not in page.visible_text
    parse_strictly(page)
    assert "Gata!" in (await browser.submit(ADDRESS, address=HOME_ADDRESS)).visible_text


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
async def test_R14_an_address_is_kept_on_one_line(page_server: PageServer, address: str, kept: str) -> None:
    browser, _page = await visitor_with_form(page_server, await page_server.request_address_link())
    assert "Gata!" in (await browser.submit(ADDRESS, address=address)).visible_text
    assert (await read_preference(page_server)).address == kept


async def test_T30_the_same_address_sent_again_is_told_the_same_and_changes_nothing(
    page_server: PageServer,
) -> None:
    browser, page = await visitor_with_form(page_server, await page_server.request_address_link())
    fields = page.hidden_fields | {"address": HOME_ADDRESS}
    twins = [await browser.post(ADDRESS, fields) for _ in range(2)]
    assert twins[0].body == twins[1].body
    other = await browser.post(ADDRESS, fields | {"address": "Str. Alta 9"})
    assert other.status == 404
    assert (await read_preference(page_server)).address == HOME_ADDRESS
    assert await count_rows(page_server.sandbox.container.database, "consents") == 1


async def test_T30_parallel_submits_change_the_address_once(page_server: PageServer) -> None:
    browser, page = await visitor_with_form(page_server, await page_server.request_address_link())
    wishes = [page.hidden_fields | {"address": f"Str. Paralela {number % 2}"} for number in range(12)]
    told = await asyncio.gather(*(browser.post(ADDRESS, fields) for fields in wishes))
    kept = (await read_preference(page_server)).address
    winners = {wishes[index]["address"] for index, seen in enumerate(told) if seen.status == 200}
    assert winners == {kept}
    assert {seen.status for seen in told} <= {200, 404, 503}
    assert await count_rows(page_server.sandbox.container.database, "consents") == 1


async def test_R14_a_form_slip_is_worthless_elsewhere_or_later(page_server: PageServer) -> None:
    browser, page = await visitor_with_form(page_server, await page_server.request_address_link())
    assert (await browser.submit(ADDRESS, slip="A" * 43, address=HOME_ADDRESS)).status == 404
    page_server.sandbox.clock.advance(timedelta(minutes=30))
    assert (await browser.post(ADDRESS, page.hidden_fields | {"address": HOME_ADDRESS})).status == 404
    assert (await read_preference(page_server)).address == ""


async def test_R14_a_billing_outage_uses_up_no_link(page_server: PageServer) -> None:
    browser, page = await visitor_with_form(page_server, await page_server.request_address_link())
    page_server.sandbox.faulty_billing.set_state("down")
    fields = page.hidden_fields | {"address": HOME_ADDRESS}
    assert (await browser.post(ADDRESS, fields)).status == 503
    page_server.sandbox.faulty_billing.set_state("up")
    assert "Gata!" in (await browser.post(ADDRESS, fields)).visible_text


async def confirm_email(page_server: PageServer, token: str) -> PageResponse:
    return await page_server.new_visitor().submit(CONFIRM, link=token)


async def test_T8_the_link_validates_the_address_once(page_server: PageServer) -> None:
    token = await page_server.request_email_link(EMAIL_ADDRESS)
    assert (await read_preference(page_server)).email_validated is False
    page = await confirm_email(page_server, token)
    assert (
        page.status == 200
        and "Adresa de e-mail este confirmată" in page.visible_text
        and EMAIL_ADDRESS not in page.text
    )
    parse_strictly(page)
    assert await read_preference(page_server) == Preference(
        notify="email", email=EMAIL_ADDRESS, email_validated=True
    )
    again = await confirm_email(page_server, token)
    assert again.status == 200 and "Adresa de e-mail este confirmată" in again.visible_text


async def test_T8_looking_at_the_page_validates_nothing(page_server: PageServer) -> None:
    await page_server.request_email_link(EMAIL_ADDRESS)
    page = await page_server.new_visitor().get(CONFIRM)
    assert page.status == 200 and '<script type="module" src="/orange-ro/link.js">' in page.text
    parse_strictly(page)
    assert (await read_preference(page_server)).email_validated is False


async def test_T8_a_link_to_an_address_replaced_since_says_so(page_server: PageServer) -> None:
    old, new = (
        await page_server.request_email_link(EMAIL_ADDRESS),
        await page_server.request_email_link("ana.noua@example.test"),
    )
    page = await confirm_email(page_server, old)
    assert page.status == 200 and "altă adresă" in page.visible_text
    assert (await read_preference(page_server)).email_validated is False
    assert "confirmată" in (await confirm_email(page_server, new)).visible_text


async def test_T8_links_live_72_hours(page_server: PageServer) -> None:
    token = await page_server.request_email_link(EMAIL_ADDRESS)
    page_server.sandbox.clock.advance(timedelta(hours=72))
    assert (await confirm_email(page_server, token)).status == 404
    assert (await read_preference(page_server)).email_validated is False


async def test_T8_the_whole_link_typed_by_hand_is_fine(page_server: PageServer) -> None:
    token = await page_server.request_email_link(EMAIL_ADDRESS)
    assert (
        "confirmată"
        in (await confirm_email(page_server, f" https://gw.example.net{CONFIRM}#{token} ")).visible_text
    )


async def test_T8_parallel_confirmations_agree(page_server: PageServer) -> None:
    browser, token = page_server.new_visitor(), await page_server.request_email_link(EMAIL_ADDRESS)
    fields = (await browser.get(CONFIRM)).hidden_fields | {"link": token}
    told = await asyncio.gather(*(browser.post(CONFIRM, fields) for _ in range(8)))
    assert any("confirmată" in seen.visible_text for seen in told)
    assert (await read_preference(page_server)).email_validated is True


async def test_T17_two_thousand_random_links_open_nothing(page_server: PageServer) -> None:
    await page_server.request_address_link(ANA)
    token = await page_server.request_email_link(EMAIL_ADDRESS)
    browser = page_server.new_visitor()
    fields = (await browser.get(CONFIRM)).hidden_fields
    guesses = [f"{int(token, 16) ^ (1 << bit):032x}" for bit in range(128)]
    guesses += [f"{number * 7919:032x}" for number in range(2000 - len(guesses))]
    seen = {(await browser.post(CONFIRM, fields | {"link": guess})).without_tokens for guess in guesses}
    assert len(seen) == 1 and next(iter(seen))[0] == 404


async def test_links_of_one_purpose_open_no_other_page(page_server: PageServer) -> None:
    token = await page_server.request_address_link()
    assert (await confirm_email(page_server, token)).status == 404
    assert "79,90" not in (await page_server.new_visitor().get(f"{BILL}?lang=ro&link={token}")).text


async def test_reads_and_changes_on_pages_are_in_the_audit_trail(page_server: PageServer) -> None:
    await page_server.new_visitor().submit(CONFIRM, link=await page_server.request_email_link(EMAIL_ADDRESS))
    browser, _ = await visitor_with_form(page_server, await page_server.request_address_link(BARBU))
    await browser.submit(ADDRESS, address=HOME_ADDRESS)
    browser = page_server.new_visitor()
    await browser.submit(BILL, number=ANA, code=await page_server.request_code())
    await browser.get("/orange-ro/bill.pdf")
    house = page_server.sandbox.container
    await house.write_behind.flush()
    await house.audit.chain_entries()
    assert (await house.audit.verify_chain(page_server.sandbox.clock())).faults == ()
    told = await house.privacy.export(DataSubject("orange-ro", ANA, SUBSCRIPTION))
    mine = {line["action"] for line in told["audit"]}
    assert {"web.confirm", "web.bill", "web.document"} <= mine and "web.address" not in mine
    hers = await house.privacy.export(DataSubject("orange-ro", BARBU, "orange-ro-40740000102"))
    assert "web.address" in {line["action"] for line in hers["audit"]}
