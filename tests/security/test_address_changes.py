"""New addresses: the line itself is told of them, on whatever channel they were given (threats T5, T6)."""

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import Connection

from flows.domain.records import OutboundMessage
from storage.sql.billing_schema import billing_subscribers
from tests.support.gateway_sandbox import sandbox as sandbox
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.page_client import ADDRESS, ANA, CONFIRM, MAILBOX, PageServer
from tests.support.page_client import page_server as page_server

THIEF = "thief@attacker.test"
MASKED = "t***@attacker.test"


async def give_by_sms(page_server: PageServer) -> None:
    await page_server.phone.send_text(ANA, "477", f"NOTIF EMAIL {THIEF}")


async def give_by_call(page_server: PageServer) -> None:
    await page_server.phone.call(ANA, "411")
    for key in "1521":
        await page_server.phone.press(key)
    await type_email(page_server)


async def give_by_ussd(page_server: PageServer) -> None:
    await page_server.phone.dial(ANA, "*100*1*1#")
    for key in "621":
        await page_server.phone.press(key)
    await type_email(page_server)


async def type_email(page_server: PageServer) -> None:
    visitor = page_server.new_visitor()
    await visitor.submit(MAILBOX, link=await page_server.latest_link_token())
    await visitor.submit(MAILBOX, mailbox=THIEF)


def told_line(messages: list[OutboundMessage]) -> list[OutboundMessage]:
    return [each for each in messages if each.route == "sms" and each.to == ANA]


@pytest.mark.parametrize("give", [give_by_sms, give_by_call, give_by_ussd])
async def test_T5_T6_the_line_is_told_once_that_an_email_address_was_confirmed(
    page_server: PageServer, give: Callable[[PageServer], Awaitable[None]]
) -> None:
    page_server.phone = page_server.sandbox.direct_line({"voice": "line"})
    await give(page_server)
    token = await page_server.latest_link_token()
    for _ in range(2):
        await page_server.new_visitor().submit(f"{CONFIRM}?lang=en", link=token)
    [notice] = told_line(await page_server.sandbox.messages.collect_new())
    assert MASKED in notice.body and THIEF not in notice.body and "07***101" in notice.body
    assert notice.language == "ro" and notice.kind == "reply"


async def test_T5_T6_the_line_is_told_once_that_its_postal_address_was_changed(page_server: PageServer) -> None:
    visitor = page_server.new_visitor()
    await visitor.submit(ADDRESS, link=await page_server.request_address_link())
    fields = visitor.last_response.hidden_fields if visitor.last_response else {}
    for _ in range(2):
        await visitor.post(ADDRESS, fields | {"address": "Str. Hotului 9"})
    [notice] = told_line(await page_server.sandbox.messages.collect_new())
    assert "Hotului" not in notice.body and "07***101" in notice.body and "411" in notice.body


async def test_T5_T6_nothing_is_said_of_an_address_that_is_not_confirmed(page_server: PageServer) -> None:
    await give_by_sms(page_server)
    assert told_line(await page_server.sandbox.messages.collect_new()) == []


async def test_T8_a_line_with_a_new_owner_is_told_nothing(page_server: PageServer) -> None:
    await give_by_sms(page_server)
    token = await page_server.latest_link_token()
    await page_server.sandbox.container.database.write(give_line_away)
    await page_server.new_visitor().submit(CONFIRM, link=token)
    assert told_line(await page_server.sandbox.messages.collect_new()) == []


def give_line_away(connection: Connection) -> None:
    table = billing_subscribers
    connection.execute(table.update().where(table.c.msisdn == ANA).values(id="another"))
