"""Forms pressed twice, one after the other or at one moment: it costs the subscriber nothing."""

import asyncio
from datetime import timedelta

import pytest

from flows.domain.records import Secret
from tests.gateway.pages.test_file import FILE_PATH, LUC, request_file_code, request_link
from tests.gateway.pages.test_file import bouygues_server as bouygues_server
from tests.support.page_client import (
    ADDRESS,
    ANA,
    BILL,
    CONFIRM,
    PageResponse,
    PageServer,
    PageVisitor,
)
from tests.support.page_client import page_server as page_server
from tests.support.page_client import sandbox as sandbox
from tests.support.page_client import sandboxes as sandboxes


async def press_twice(
    visitor: PageVisitor, path: str, when: str, **fields: str
) -> tuple[PageResponse, PageResponse]:
    """Press the button of the form last seen twice, as it stands."""
    assert visitor.last_response
    filled_in = visitor.last_response.hidden_fields | fields
    if when == "at once":
        first, second = await asyncio.gather(*(visitor.post(path, filled_in) for _ in range(2)))
        return first, second
    return await visitor.post(path, filled_in), await visitor.post(path, filled_in)


TWO_WAYS = pytest.mark.parametrize("when", ["later", "at once"])


async def open_code_form(server: PageServer) -> tuple[PageVisitor, Secret, str]:
    """Return a visitor with the form for the code of a file, the link's token, and the code."""
    visitor, token = server.new_visitor(), await request_link(server, "PDF 02/26", LUC)
    await visitor.submit(FILE_PATH, link=token)
    return visitor, Secret(token), await request_file_code(server)


async def openings_left(server: PageServer, token: Secret) -> int:
    link = await server.sandbox.container.operators["bouygues"].ledger.find_link(
        token, "file", server.sandbox.clock()
    )
    return link.opens_left if link else 0


@TWO_WAYS
async def test_a_file_pressed_twice_comes_twice_and_costs_one_opening(
    bouygues_server: PageServer, when: str
) -> None:
    visitor, token, code = await open_code_form(bouygues_server)
    pressed = await press_twice(visitor, FILE_PATH, when, code=code)
    assert all(each.body.startswith(b"%PDF") for each in pressed)
    assert await openings_left(bouygues_server, token) == 4


@TWO_WAYS
async def test_the_last_opening_pressed_twice_comes_twice(bouygues_server: PageServer, when: str) -> None:
    visitor, token, code = await open_code_form(bouygues_server)
    for _ in range(4):
        await bouygues_server.sandbox.container.operators["bouygues"].ledger.use_link(
            token, "file", bouygues_server.sandbox.clock()
        )
    pressed = await press_twice(visitor, FILE_PATH, when, code=code)
    assert all(each.body.startswith(b"%PDF") for each in pressed)


async def test_a_code_pressed_again_later_or_by_another_visitor_opens_nothing(
    bouygues_server: PageServer,
) -> None:
    visitor, token, code = await open_code_form(bouygues_server)
    assert visitor.last_response
    form = visitor.last_response.hidden_fields | {"code": code}
    assert (await visitor.post(FILE_PATH, form)).body.startswith(b"%PDF")
    other = bouygues_server.new_visitor()
    await other.submit(FILE_PATH, link=token.value)
    assert b"%PDF" not in (await other.submit(FILE_PATH, code=code)).body
    bouygues_server.sandbox.clock.advance(timedelta(minutes=5))
    assert b"%PDF" not in (await visitor.post(FILE_PATH, form)).body


async def test_a_wrong_code_pressed_twice_at_one_moment_is_one_attempt(bouygues_server: PageServer) -> None:
    visitor, _token, code = await open_code_form(bouygues_server)
    form = visitor.last_response
    for guess in [f"{guess:06}" for guess in range(4) if f"{guess:06}" != code][:3]:
        visitor.last_response = form
        pressed = await press_twice(visitor, FILE_PATH, "at once", code=guess)
        assert not any(each.body.startswith(b"%PDF") for each in pressed)
    assert (await visitor.submit(FILE_PATH, code=code)).body.startswith(b"%PDF")


@TWO_WAYS
async def test_a_login_pressed_twice_shows_the_bill_twice(page_server: PageServer, when: str) -> None:
    visitor, code = page_server.new_visitor(), await page_server.request_code()
    await visitor.get(BILL)
    pressed = await press_twice(visitor, BILL, when, number=ANA, code=code)
    assert all("79,90" in each.text for each in pressed)


async def test_a_login_form_sent_again_after_logging_out_shows_no_bill(page_server: PageServer) -> None:
    visitor, code = page_server.new_visitor(), await page_server.request_code()
    form = (await visitor.get(BILL)).hidden_fields | {"number": ANA, "code": code}
    assert "79,90" in (await visitor.post(BILL, form)).text
    await visitor.submit(BILL, leave="1")
    assert "79,90" not in (await visitor.post(BILL, form)).text
    assert "79,90" not in (await visitor.submit(BILL, number=ANA, code=code)).text


@TWO_WAYS
async def test_an_address_pressed_twice_is_done_twice(page_server: PageServer, when: str) -> None:
    visitor = page_server.new_visitor()
    await visitor.submit(ADDRESS, link=await page_server.request_address_link())
    pressed = await press_twice(visitor, ADDRESS, when, address="Strada Lungă 1, Brașov")
    assert [each.status for each in pressed] == [200, 200]
    assert pressed[0].body == pressed[1].body and 'class="done"' in pressed[0].text


@TWO_WAYS
async def test_a_confirmation_pressed_twice_is_told_twice(page_server: PageServer, when: str) -> None:
    visitor = page_server.new_visitor()
    token = await page_server.request_email_link("ana@example.com")
    await visitor.get(CONFIRM)
    pressed = await press_twice(visitor, CONFIRM, when, link=token)
    assert all('class="done"' in each.text for each in pressed) and pressed[0].body == pressed[1].body
