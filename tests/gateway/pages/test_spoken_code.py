"""The code for the bill page read out on a call: to a proven line only, and it opens the page (R6, R7)."""

import re
from datetime import timedelta

import pytest

from gateway.dialogs.player import PhoneDisplay
from tests.support.databases import dump_table
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory
from tests.support.page_client import ANA, BILL, PageServer, build_pages, serve_pages
from tests.support.page_client import page_server as page_server
from tests.support.page_client import sandbox as sandbox
from tests.support.page_client import sandboxes as sandboxes

TUNIS, LEILA, LEILAS_CODE = "tunisie-telecom", "+21671000102", "88441207"
CODE = re.compile(r"(?<!\d)\d{6}(?!\d)")


def spoken_codes(display: PhoneDisplay) -> list[str]:
    return CODE.findall(" ".join(display.lines).replace(" ", "")) or CODE.findall(
        re.sub(r"(?<=\d) (?=\d)", "", " ".join(display.lines))
    )


async def ask_aloud(here: GatewaySandbox, trust: str) -> PhoneDisplay:
    """Call 411 and ask for the code to be read out."""
    line = here.direct_line({"voice": trust})
    await line.call(ANA, "411")
    await line.press("1")
    return await line.press("7")


async def test_R6_a_code_read_out_on_a_call_opens_the_page(page_server: PageServer) -> None:
    code, again = spoken_codes(await ask_aloud(page_server.sandbox, "line"))
    page = await page_server.new_visitor().submit(BILL, number=ANA, code=code)
    assert code == again
    assert "79,90 lei" in page.visible_text
    assert not await page_server.sandbox.messages.collect_new()


async def test_R6_a_caller_number_that_may_be_forged_hears_no_code(page_server: PageServer) -> None:
    heard = await ask_aloud(page_server.sandbox, "none")
    assert spoken_codes(heard) == []
    assert heard.gather is not None and heard.gather.max_keys == 8


async def test_R6_a_fixed_line_hears_its_code_after_its_customer_code(sandboxes: SandboxFactory) -> None:
    async with (
        sandboxes.open(operator=TUNIS) as sandbox,
        serve_pages(sandbox, build_pages(sandbox)) as here,
    ):
        line = sandbox.direct_line({"voice": "line"})
        await line.call(LEILA, "1298")
        asked = await line.press("9")
        code, _ = spoken_codes(await line.press(f"{LEILAS_CODE}#"))
        page = await here.new_visitor().submit(f"/{TUNIS}/bill", number=LEILA, code=code)
    assert spoken_codes(asked) == []
    assert "29,500" in page.visible_text


async def test_R7_a_spoken_code_lives_as_long_as_the_call_says(page_server: PageServer) -> None:
    heard = await ask_aloud(page_server.sandbox, "line")
    page_server.sandbox.clock.advance(timedelta(minutes=15))
    page = await page_server.new_visitor().submit(BILL, number=ANA, code=spoken_codes(heard)[0])
    assert "cincisprezece minute" in " ".join(heard.lines)
    assert "79,90" not in page.visible_text


async def test_R6_hash_repeats_the_code_and_no_second_one_is_made(page_server: PageServer) -> None:
    line = page_server.sandbox.direct_line({"voice": "line"})
    await line.call(ANA, "411")
    await line.press("1")
    first = await line.press("7")
    assert spoken_codes(await line.press("#")) == spoken_codes(first)


@pytest.mark.parametrize("table", ["codes", "outbox", "audit"])
async def test_a_spoken_code_is_stored_nowhere_in_clear(page_server: PageServer, table: str) -> None:
    code, _ = spoken_codes(await ask_aloud(page_server.sandbox, "line"))
    assert code not in await dump_table(page_server.sandbox.container.database, table)
