"""Queues in the console: states with reasons, replay once, only of the user's operators."""

import asyncio

import pytest
from sqlalchemy import Connection, text

from flows.domain.records import ChangeSet, OutboundMessage
from gateway.console.queues import QUEUES_PATH
from storage.sql.tables import link_slots
from tests.support.console_site import ConsoleServer, StaffMember
from tests.support.console_site import console as console
from tests.support.page_client import ANA, parse_strictly

HOSTILE = "<script>alert(1)</script>"
LANE = "orange-ro notice sms"
KILL = text(
    "UPDATE outbox SET state = 'dead', reason = :reason, provider = 'africastalking', due_at = NULL"
    " WHERE operator = :of"
)


async def add_dead_rows(
    console: ConsoleServer, operator: str, kinds: list[str], reason: str = "no money"
) -> None:
    """Add messages that were given up."""
    messages = tuple(
        OutboundMessage(f"{operator}/{kind}/{n}", operator, ANA, "sms", kind, f"text {n}", "ro")  # type: ignore[arg-type]
        for n, kind in enumerate(kinds)
    )
    ports = console.sandbox.container.operators["orange-ro"]
    await ports.ledger.commit(ChangeSet(operator, operator, "s1", console.sandbox.clock(), messages=messages))
    values = {"of": operator, "reason": reason}
    await console.sandbox.container.database.write(lambda connection: connection.execute(KILL, values))


async def row_states(console: ConsoleServer) -> dict[str, str]:
    """Return the state of each row by its key."""

    def job(connection: Connection) -> dict[str, str]:
        return {row.key: row.state for row in connection.execute(text("SELECT key, state FROM outbox"))}

    return await console.sandbox.container.database.read(job)


async def test_reasons_are_counted_and_rows_listed_masked(console: ConsoleServer) -> None:
    await add_dead_rows(console, "orange-ro", ["notice", "notice"])
    page = await (await console.signed_in("oscar")).get(QUEUES_PATH)
    assert "orange-ro sms given up africastalking: no money 2" in page.visible_text
    assert "...0101" in page.visible_text and ANA not in page.text


async def test_a_row_is_sent_again_once_and_recorded(console: ConsoleServer) -> None:
    await add_dead_rows(console, "orange-ro", ["notice"])
    browser = await console.signed_in("oscar")
    await browser.get(QUEUES_PATH)
    fields = {"form_token": browser.form_tokens[QUEUES_PATH], "row": "1"}
    pages = await asyncio.gather(*(browser.post(QUEUES_PATH, fields) for _ in range(4)))
    assert sorted("Sent again." in page.visible_text for page in pages) == [False, False, False, True]
    assert len(await console.sandbox.messages.collect_new()) == 1
    assert await console.audit_entries("console.replayed") == [("orange-ro", "oscar", "row 1", "ok")]


async def test_all_dead_rows_go_again_but_codes(console: ConsoleServer) -> None:
    await add_dead_rows(console, "orange-ro", ["notice", "code", "notice"])
    browser = await console.signed_in("oscar")
    await browser.get(QUEUES_PATH)
    assert "Sent again." in (await browser.submit_to(QUEUES_PATH, row="all-dead")).visible_text
    assert sorted((await row_states(console)).values()) == ["dead", "pending", "pending"]


async def test_another_operators_rows_are_neither_seen_nor_sent(console: ConsoleServer) -> None:
    await add_dead_rows(console, "bouygues", ["notice"], "a reason of theirs")
    browser = await console.signed_in("oscar")
    page = await browser.get(QUEUES_PATH)
    assert "a reason of theirs" not in page.text and "bouygues" not in page.text
    token = console.site.csrf_tokens.form_token(browser.session_token, QUEUES_PATH)
    for row in ("1", "all-dead", "x", "9" * 30):
        page = await browser.post(QUEUES_PATH, {"form_token": token, "row": row})
        assert "Nothing was done" in page.visible_text
    assert set((await row_states(console)).values()) == {"dead"}


async def add_waiting(console: ConsoleServer) -> None:
    """Add a notice and a code that wait."""
    kinds = ("notice", "code")
    messages = tuple(OutboundMessage(f"w/{k}", "orange-ro", ANA, "sms", k, "text", "ro") for k in kinds)  # type: ignore[arg-type]
    ports = console.sandbox.container.operators["orange-ro"]
    await ports.ledger.commit(ChangeSet("w", "orange-ro", "s1", console.sandbox.clock(), messages=messages))


async def change_lane(browser: StaffMember, verb: str, lane: str = LANE, **fields: str) -> str:
    """Press a button of the form of lanes and return what the page says."""
    await browser.get(QUEUES_PATH)
    return (await browser.press("lane", verb=verb, lane=lane, **fields)).visible_text


async def test_notices_are_paused_and_resumed_codes_go(console: ConsoleServer) -> None:
    browser = await console.signed_in("oscar")
    assert "Paused: no worker" in await change_lane(browser, "pause")
    await add_waiting(console)
    assert [each.kind for each in await console.sandbox.messages.collect_new()] == ["code"]
    assert "paused since 2026-03-10 09:00" in (await browser.get(QUEUES_PATH)).visible_text
    assert "Resumed" in await change_lane(browser, "resume")
    assert [each.kind for each in await console.sandbox.messages.collect_new()] == ["notice"]
    assert await console.audit_entries("console.outbox_pause") == [("orange-ro", "oscar", "notice sms", "ok")]


async def test_cancelling_wants_a_tick_and_happens_once_for_a_form(console: ConsoleServer) -> None:
    browser = await console.signed_in("oscar")
    await change_lane(browser, "pause")
    await add_waiting(console)
    assert "Nothing was changed" in await change_lane(browser, "cancel")
    path, hidden = browser.find_form("lane")
    fields = hidden | {"verb": "cancel", "lane": LANE, "confirmed": "yes"}
    pages = [(await browser.post(path, fields)).visible_text for _ in range(2)]
    assert "not sent is closed" in pages[0] and "nothing was done twice" in pages[1]
    assert (await row_states(console))["w/notice"] == "expired"


async def test_another_operators_lanes_are_not_paused(console: ConsoleServer) -> None:
    browser = await console.signed_in("oscar")
    for lane in ("bouygues notice sms", "orange-ro code sms", ""):
        assert "Nothing was done" in await change_lane(browser, "pause", lane)
    assert not await console.sandbox.container.lane_pauses.list_pauses()


@pytest.mark.parametrize("name", ["ioana", "adela", "mihai"])
async def test_queues_are_for_operations_only(console: ConsoleServer, name: str) -> None:
    browser = await console.signed_in(name)
    assert (await browser.get(QUEUES_PATH)).status == 403
    token = console.site.csrf_tokens.form_token(browser.session_token, QUEUES_PATH)
    assert (await browser.post(QUEUES_PATH, {"form_token": token, "row": "1"})).status == 403


async def test_a_providers_words_are_text(console: ConsoleServer) -> None:
    await add_dead_rows(console, "orange-ro", ["notice"], HOSTILE)
    page = await (await console.signed_in("oscar")).get(QUEUES_PATH)
    assert "<script" not in page.text and HOSTILE in page.visible_text


async def test_a_link_that_no_process_holds_is_said_so(console: ConsoleServer) -> None:
    at = console.sandbox.clock()
    row = {"operator": "orange-ro", "provider": "smpp", "slot": 0, "owner": "x", "fence": 1, "expires_at": at}
    await console.sandbox.container.database.write(lambda c: c.execute(link_slots.insert(), row))
    page = await (await console.signed_in("oscar")).get(QUEUES_PATH)
    assert "orange-ro/smpp/0 : held by no process since 2026-03-10 09:00" in page.visible_text


@pytest.mark.parametrize("language", ["en", "fr", "ro", "ar"])
async def test_the_page_is_sound_html_in_every_language(console: ConsoleServer, language: str) -> None:
    await add_dead_rows(console, "orange-ro", ["notice", "code"])
    page = await (await console.signed_in("oscar")).get(f"{QUEUES_PATH}?lang={language}")
    assert parse_strictly(page).root["lang"] == language
