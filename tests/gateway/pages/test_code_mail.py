"""The bill page's code by e-mail: to a confirmed address only, and nobody learns whether there is one."""

import re
from datetime import timedelta

import pytest

from tests.support.gateway_sandbox import SandboxFactory
from tests.support.page_client import (
    ANA,
    BARBU,
    BILL,
    UNKNOWN_NUMBER,
    PageResponse,
    PageServer,
    build_pages,
    parse_strictly,
    serve_pages,
)
from tests.support.page_client import page_server as page_server
from tests.support.page_client import sandbox as sandbox
from tests.support.page_client import sandboxes as sandboxes

JEANNE, FR_BILL = "+33600000101", "/orange-fr/bill"


async def ask_by_mail(page_server: PageServer, number: str, page: str = BILL) -> PageResponse:
    """Fill in a number as a new visitor and press the button for a code by e-mail."""
    return await page_server.new_visitor().submit(page, number=number, mail="1")


async def mailed_code(page_server: PageServer, address: str) -> str:
    """Return the code in the one message sent, an e-mail to this address."""
    [mail] = await page_server.sandbox.messages.collect_new()
    assert (mail.route, mail.to, mail.kind) == ("email", address, "code")
    found = re.search(r"\b\d{6}\b", mail.body)
    assert found
    return found[0]


async def test_F1_a_code_by_e_mail_opens_the_bill_page(sandboxes: SandboxFactory) -> None:
    async with (
        sandboxes.open(operator="orange-fr") as sandbox,
        serve_pages(sandbox, build_pages(sandbox)) as here,
    ):
        page = await ask_by_mail(here, JEANNE, f"{FR_BILL}?lang=fr")
        code = await mailed_code(here, "jeanne@example.test")
        opened = await here.new_visitor().submit(f"{FR_BILL}?lang=fr", number=JEANNE, code=code)
    assert "un code vient d'y partir" in page.visible_text
    assert "34,99 €" in opened.visible_text
    parse_strictly(page)


async def test_a_mailed_code_opens_one_bill_once(page_server: PageServer) -> None:
    await ask_by_mail(page_server, BARBU)
    code = await mailed_code(page_server, "barbu@example.test")
    shown = [
        (await page_server.new_visitor().submit(BILL, number=number, code=code)).visible_text
        for number in (ANA, BARBU, BARBU)
    ]
    assert ["45,00 lei" in text for text in shown] == [False, True, False]


async def test_nobody_learns_whether_a_number_has_an_address(page_server: PageServer) -> None:
    numbers = (BARBU, ANA, UNKNOWN_NUMBER, "hello", "", BARBU)
    pages = [(await ask_by_mail(page_server, number)).without_tokens for number in numbers]
    assert len(set(pages)) == 1 and pages[0][0] == 200
    assert [mail.to for mail in await page_server.sandbox.messages.collect_new()] == ["barbu@example.test"]


async def test_billing_that_does_not_answer_is_the_same_for_every_number(page_server: PageServer) -> None:
    page_server.sandbox.faulty_billing.set_state("down")
    pages = [await ask_by_mail(page_server, number) for number in (BARBU, ANA)]
    assert [page.status for page in pages] == [503, 503]
    assert not await page_server.sandbox.messages.collect_new()


async def test_an_unconfirmed_address_gets_no_code(page_server: PageServer) -> None:
    await page_server.request_email_link("ana@example.test")
    await ask_by_mail(page_server, ANA)
    assert not await page_server.sandbox.messages.collect_new()


async def test_mails_to_one_number_are_limited(page_server: PageServer) -> None:
    for _ in range(6):
        await ask_by_mail(page_server, BARBU)
        page_server.sandbox.clock.advance(timedelta(minutes=1))
    assert len(await page_server.sandbox.messages.collect_new()) == 3


@pytest.mark.parametrize("address", ["with", "without"])
async def test_a_stranger_asking_by_mail_leaves_the_owners_code_valid(
    page_server: PageServer, address: str
) -> None:
    number = BARBU if address == "with" else ANA
    code = await page_server.request_code(number)
    await ask_by_mail(page_server, number)
    page = await page_server.new_visitor().submit(BILL, number=number, code=code)
    assert "lei" in page.visible_text
