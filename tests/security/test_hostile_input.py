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
from flows.selfcare.csv_format import escape_formula
from gateway.observability.logging import JsonFormatter
from gateway.providers._shared.xml import add_element, serialise_document, strip_illegal
from menus.packfile.yaml_source import PackError, read_yaml
from menus.text.gsm import count_segments, measure_text, split_segments
from menus.text.input_parsing import parse_digits, to_ascii_digits
from storage.credentials.one_time_codes import SqlOneTimeCodes
from storage.sql.engine import Database
from tests.support.databases import NOW, SECRET, count_rows
from tests.support.gateway_sandbox import FaultyBilling, GatewaySandbox
from tests.support.provider_phones import AfricasTalkingPhone, connect_webhooks

ANA, BARBU = "+40740000101", "+40740000102"
HOSTILE_TEXTS = (
    "{0.__class__}",
    "{{7*7}}",
    "%s%n",
    "${x}",
    "<b>&amp;",
    "\x1b[31m\r\nlevel=error",
    "'; DROP TABLE x;--",
)


async def test_T18_no_account_reaches_anothers_bill(sandbox: GatewaySandbox) -> None:
    billing = sandbox.container.operators["orange-ro"].billing
    mine, yours = [(await billing.get_subscriber(number)).account for number in (ANA, BARBU)]
    (bill,) = await billing.list_bills(yours, 1)
    for asked in (
        billing.get_bill(mine, bill.id),
        billing.list_bill_lines(mine, bill.id),
        billing.get_document(mine, bill.id),
    ):
        with pytest.raises(NotFound):
            await asked
    assert all(each.account == mine for each in await billing.list_bills(mine, 36))


@given(st.text())
def test_T20_call_xml_survives_any_text(text: str) -> None:
    root = fromstring("<Response/>")
    add_element(root, "Say", text)
    read = fromstring(serialise_document(root)).findtext("Say") or ""
    assert read == strip_illegal(text)


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
async def test_T21_nothing_typed_is_ever_run(text: str, sandbox: GatewaySandbox) -> None:
    async with connect_webhooks(sandbox) as wire:
        phone = AfricasTalkingPhone(wire, sandbox.menu, sandbox.messages)
        answer = "\n".join((await phone.send_text(ANA, "477", text)).lines)
        await phone.dial(ANA, "*100#")
        answer += "\n".join((await phone.press(text)).lines)
    assert "49" not in answer and "class" not in answer and "root" not in answer


YAML_BOMBS = {
    "aliases": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "depth": "[" * 3_000 + "]" * 3_000,
    "tags": "!!python/object/apply:os.system ['true']\n",
    "size": "a: " + "x" * 300_000,
    "nodes": "[" + "1," * 30_000 + "]",
}


@pytest.mark.parametrize("bomb", YAML_BOMBS)
def test_T22_a_yaml_bomb_is_a_clear_error(bomb: str, tmp_path: Path) -> None:
    path = tmp_path / "pack.yaml"
    path.write_text(YAML_BOMBS[bomb])
    with pytest.raises(PackError):
        read_yaml(path)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_T23_no_cell_of_an_export_is_a_formula(text: str) -> None:
    assert not escape_formula(text).startswith(("=", "+", "-", "@", "\t", "\r"))


@pytest.mark.parametrize("letter", "²³¹①⑴⒈½Ⅳ〇一۱x１٣५")
def test_T27_only_decimal_digits_choose(letter: str) -> None:
    told = parse_digits(letter, 1, 1)
    assert told is None or (told.isascii() and told.isdigit() and to_ascii_digits(letter) == told)
    assert parse_digits("1" * 5_000, 1, 6) is None


@given(st.text(st.sampled_from("abc €[]é\u0420"), max_size=400))
def test_T28_parts_hold_the_whole_text(text: str) -> None:
    parts = split_segments(text)
    assert "".join(parts) == text and (not text or len(parts) == count_segments(text))


async def test_T29_T30_a_hundred_activations_at_once_are_one(sandbox: GatewaySandbox) -> None:
    async with connect_webhooks(sandbox) as wire:
        phone = AfricasTalkingPhone(wire, sandbox.menu, sandbox.messages)
        await phone.send_text(ANA, "477", "EFACTURA")
        assert wire.last_request
        before = await sandbox.count_effects()
        await asyncio.gather(*(wire.send_webhook(*wire.last_request) for _ in range(100)))
    assert await sandbox.count_effects() == before


@pytest.mark.parametrize(("seconds", "told"), [(-3600, "ok"), (899, "ok"), (901, "wrong"), (86_400, "wrong")])
async def test_T31_a_clock_that_jumps_opens_no_code_late(database: Database, seconds: int, told: str) -> None:
    codes, life = SqlOneTimeCodes(database, SECRET), timedelta(minutes=15)
    await codes.issue_code(CodeRequest("k", "orange-ro", ANA, "bill", Secret("482913"), NOW, NOW + life, None))
    at = NOW + timedelta(seconds=seconds)
    assert await codes.redeem_code("orange-ro", ANA, "bill", Secret("482913"), at) == told


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_T32_a_log_line_stays_one_line(text: str) -> None:
    record = logging.LogRecord("dialtree.turn", logging.ERROR, __file__, 1, "step.failed", None, None)
    record.__dict__["node"] = text
    line = JsonFormatter().format(record)
    assert len(line.splitlines()) == 1 and "\x1b" not in line


class OddBilling(FaultyBilling):
    """A backend that answers with arbitrary values."""

    async def list_bills(self, account: str, limit: int, offset: int = 0) -> list[Bill]:
        (bill, *_) = await super().list_bills(account, limit, offset)
        odd = {"number": "\x00\u202e" * 999, "total": Decimal("9" * 30), "id": "x" * 500, "state": "odd"}
        return [replace(bill, **{name: value}) for name, value in odd.items()][: limit or 1]  # type: ignore[arg-type]


async def test_T35_odd_billing_data_still_ends_in_words(sandbox: GatewaySandbox) -> None:
    ports = sandbox.container.operators["orange-ro"]
    ports.billing = OddBilling(ports.billing)
    async with connect_webhooks(sandbox) as wire:
        phone = AfricasTalkingPhone(wire, sandbox.menu, sandbox.messages)
        shown = await phone.dial(ANA, "*100*1*1*1#")
    assert shown.lines and measure_text("\n".join(shown.lines)).units <= 182


async def test_T15_the_database_holds_no_secret_typed(sandbox: GatewaySandbox) -> None:
    """The one code sent is stored twice: for the owner's tries and for those of others."""
    await sandbox.direct_line().send_text(ANA, "477", "ThankYou1")
    assert await count_rows(sandbox.container.database, "codes") == 2
    assert Counter(notice.kind for notice in await sandbox.messages.collect_new()) == {"code": 1}
