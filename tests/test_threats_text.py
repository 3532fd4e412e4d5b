"""Hostile input: markup, templates, look-alike digits, races, clock steps, odd billing data."""

import asyncio
import logging
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.domain.failures import NotFound
from flows.domain.records import Bill, CodeRequest, Secret
from flows.selfcare.export import guarded
from gateway.observability.logging import JsonLines
from gateway.providers._shared.xml import add, document, legal
from menus.packfile.yaml_source import PackError, read
from menus.text.gsm import measure, segments, split_parts
from menus.text.input_parsing import as_digits, digits_of
from storage.credentials.one_time_codes import SqlCodes
from storage.sql.engine import Database
from tests.lines import OverAfricasTalking, wired
from tests.sql import NOW, SECRET, rows_in
from tests.world import Weather, World

ANA, BARBU = "+40740000101", "+40740000102"
NASTY = (
    "{0.__class__}",
    "{{7*7}}",
    "%s%n",
    "${x}",
    "<b>&amp;",
    "\x1b[31m\r\nlevel=error",
    "'; DROP TABLE x;--",
)


async def test_T18_no_account_reaches_anothers_bill(sandbox: World) -> None:
    billing = sandbox.house.conversations.people["orange-ro"].world.billing
    mine, yours = [(await billing.subscriber(number)).account for number in (ANA, BARBU)]
    (bill,) = await billing.bills(yours, 1)
    for asked in (billing.bill(mine, bill.id), billing.lines(mine, bill.id), billing.document(mine, bill.id)):
        with pytest.raises(NotFound):
            await asked
    assert all(each.account == mine for each in await billing.bills(mine, 36))


@given(st.text())
def test_T20_call_xml_survives_any_text(text: str) -> None:
    root = fromstring("<Response/>")
    add(root, "Say", text)
    read = fromstring(document(root)).findtext("Say") or ""
    assert read == legal(text)


@pytest.mark.parametrize("text", NASTY)
async def test_T21_nothing_typed_is_ever_run(text: str, sandbox: World) -> None:
    async with wired(sandbox) as wire:
        phone = OverAfricasTalking(wire, sandbox.menu, sandbox.post)
        answer = "\n".join((await phone.text(ANA, "477", text)).lines)
        await phone.dial(ANA, "*100#")
        answer += "\n".join((await phone.press(text)).lines)
    assert "49" not in answer and "class" not in answer and "root" not in answer


BOMBS = {
    "aliases": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "depth": "[" * 3_000 + "]" * 3_000,
    "tags": "!!python/object/apply:os.system ['true']\n",
    "size": "a: " + "x" * 300_000,
    "nodes": "[" + "1," * 30_000 + "]",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_T22_a_yaml_bomb_is_a_clear_error(bomb: str, tmp_path: Path) -> None:
    path = tmp_path / "pack.yaml"
    path.write_text(BOMBS[bomb])
    with pytest.raises(PackError):
        read(path)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_T23_no_cell_of_an_export_is_a_formula(text: str) -> None:
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize("letter", "²³¹①⑴⒈½Ⅳ〇一۱x１٣५")
def test_T27_only_decimal_digits_choose(letter: str) -> None:
    told = as_digits(letter, 1, 1)
    assert told is None or (told.isascii() and told.isdigit() and digits_of(letter) == told)
    assert as_digits("1" * 5_000, 1, 6) is None


@given(st.text(st.sampled_from("abc €[]é\u0420"), max_size=400))
def test_T28_parts_hold_the_whole_text(text: str) -> None:
    parts = split_parts(text)
    assert "".join(parts) == text and (not text or len(parts) == segments(text))


async def test_T29_T30_a_hundred_activations_at_once_are_one(sandbox: World) -> None:
    async with wired(sandbox) as wire:
        phone = OverAfricasTalking(wire, sandbox.menu, sandbox.post)
        await phone.text(ANA, "477", "EFACTURA")
        assert wire.last
        before = await sandbox.counts()
        await asyncio.gather(*(wire.send(*wire.last) for _ in range(100)))
    assert await sandbox.counts() == before


@pytest.mark.parametrize(("seconds", "told"), [(-3600, "ok"), (899, "ok"), (901, "wrong"), (86_400, "wrong")])
async def test_T31_a_clock_that_jumps_opens_no_code_late(database: Database, seconds: int, told: str) -> None:
    codes, life = SqlCodes(database, SECRET), timedelta(minutes=15)
    await codes.issue(CodeRequest("k", "orange-ro", ANA, "bill", Secret("482913"), NOW, NOW + life, None))
    at = NOW + timedelta(seconds=seconds)
    assert await codes.redeem("orange-ro", ANA, "bill", Secret("482913"), at) == told


@pytest.mark.parametrize("text", NASTY)
def test_T32_a_log_line_stays_one_line(text: str) -> None:
    record = logging.LogRecord("dialtree.turn", logging.ERROR, __file__, 1, "step.failed", None, None)
    record.__dict__["node"] = text
    line = JsonLines().format(record)
    assert len(line.splitlines()) == 1 and "\x1b" not in line


class Lying(Weather):
    """A backend that answers with arbitrary values."""

    async def bills(self, account: str, limit: int, offset: int = 0) -> list[Bill]:
        (bill, *_) = await super().bills(account, limit, offset)
        odd = {"number": "\x00\u202e" * 999, "total": Decimal("9" * 30), "id": "x" * 500, "state": "odd"}
        return [replace(bill, **{name: value}) for name, value in odd.items()][: limit or 1]  # type: ignore[arg-type]


async def test_T35_odd_billing_data_still_ends_in_words(sandbox: World) -> None:
    people = sandbox.house.conversations.people["orange-ro"]
    people.world = replace(people.world, billing=Lying(people.world.billing))
    async with wired(sandbox) as wire:
        phone = OverAfricasTalking(wire, sandbox.menu, sandbox.post)
        shown = await phone.dial(ANA, "*100*1*1*1#")
    assert shown.lines and measure("\n".join(shown.lines)).units <= 182


async def test_T15_the_database_holds_no_secret_typed(sandbox: World) -> None:
    await sandbox.direct().text(ANA, "477", "ThankYou1")
    assert await rows_in(sandbox.house.database, "codes") == 1
    assert Counter(notice.kind for notice in await sandbox.post.collect()) == {"code": 1}
