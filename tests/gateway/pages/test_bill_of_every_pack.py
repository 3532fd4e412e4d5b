"""The bill page of every pack: a code asked for by text, dial or call opens it (R6)."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.dialogs.direct_line import DirectLine
from gateway.publishing import pack_compiler
from tests.gateway.pages.test_spoken_code import spoken_codes
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.page_client import PageServer, build_pages, serve_pages

WAYS = [
    ("orange-ro", "+40740000101", "477", "ThankYou1", "79,90"),
    ("orange-ro", "+40740000101", "*100*1*1*5#", "", "79,90"),
    ("tunisie-telecom", "+21698000101", "85000", "CODE", "45,230"),
    ("tunisie-telecom", "+21698000101", "*101*7#", "", "45,230"),
    ("maroc-telecom", "+212661000101", "3777", "CODE", "149,00"),
    ("maroc-telecom", "+212661000101", "*580*2*4#", "", "149,00"),
    ("orange-fr", "+33600000101", "32123", "CODE", "34,99"),
    ("bouygues", "+33660000101", "61064", "CODE", "34,99"),
    ("bouygues", "+33660000101", "*614*6*6#", "", "34,99"),
    ("orange-fr", "+33600000101", "*144*2*7#", "", "34,99"),
]
"""Texts and strings dialled: number, words, and the amount the page shows."""
CALLS = [
    ("orange-ro", "+40740000101", "411", "14", "79,90"),
    ("orange-ro", "+40740000101", "411", "17", "79,90"),
    ("tunisie-telecom", "+21698000101", "1298", "7", "45,230"),
    ("tunisie-telecom", "+21698000101", "1298", "9", "45,230"),
    ("maroc-telecom", "+212661000101", "115", "24", "149,00"),
    ("orange-fr", "+33600000101", "3900", "26", "34,99"),
    ("bouygues", "+33660000101", "614", "56", "34,99"),
]
"""Calls: number, keys, and the amount; the code comes by SMS or is read out."""


CODE = re.compile(r"\b\d{6}\b")


@asynccontextmanager
async def open_pages(
    sandboxes: SandboxFactory, operator: str
) -> AsyncIterator[tuple[GatewaySandbox, PageServer]]:
    async with (
        sandboxes.open(operator=operator) as sandbox,
        serve_pages(sandbox, build_pages(sandbox)) as server,
    ):
        yield sandbox, server


async def ask_for_code(phone: DirectLine, caller: str, number: str, words: str) -> None:
    if words:
        await phone.send_text(caller, number, words)
        return
    await phone.dial(caller, number)


@pytest.mark.parametrize(
    ("operator", "caller", "number", "words", "amount"), WAYS, ids=[f"{way[0]}-{way[2]}" for way in WAYS]
)
async def test_R6_a_code_asked_for_by_phone_opens_the_bill_page_of_every_pack(
    operator: str, caller: str, number: str, words: str, amount: str, sandboxes: SandboxFactory
) -> None:
    async with open_pages(sandboxes, operator) as (sandbox, server):
        await ask_for_code(server.phone, caller, number, words)
        sent = [each for each in await sandbox.messages.collect_new() if each.kind == "code"]
        found = CODE.search(sent[-1].body)
        assert found and sent[-1].to == caller
        page = await server.new_visitor().submit(f"/{operator}/bill", number=caller, code=found[0])
        assert page.status == 200 and amount in page.visible_text


@pytest.mark.parametrize(
    ("operator", "caller", "number", "keys", "amount"), CALLS, ids=[f"{way[0]}-{way[3]}" for way in CALLS]
)
async def test_R6_a_code_asked_for_in_a_call_opens_the_bill_page_of_every_pack(
    operator: str, caller: str, number: str, keys: str, amount: str, sandboxes: SandboxFactory
) -> None:
    async with open_pages(sandboxes, operator) as (sandbox, server):
        phone = sandbox.direct_line({"voice": "line"})
        heard = await phone.call(caller, number)
        for key in keys:
            heard = await phone.press(key)
        sent = [each.body for each in await sandbox.messages.collect_new() if each.kind == "code"]
        found = CODE.search(sent[-1]) if sent else None
        code = found[0] if found else spoken_codes(heard)[0]
        page = await server.new_visitor().submit(f"/{operator}/bill", number=caller, code=code)
        assert amount in page.visible_text


def test_every_shipped_pack_has_a_way_by_text_or_dial_and_by_call() -> None:
    shipped = set(pack_compiler.shipped_operators())
    assert {way[0] for way in WAYS} == {way[0] for way in CALLS} == shipped
