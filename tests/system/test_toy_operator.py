"""A toy operator: a folder of data without a line of Python, checked and dialled."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import insert

from gateway.publishing import pack_compiler
from storage.sql.tables import billing_subscribers
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory

TOY_OPERATOR = "toy-tel"
OWNER, STRANGER = "+254700000101", "+254700000999"
PACK_FILES = {
    "pack.yaml": """
name: toy-tel
title: Toytel
country: KE
country_code: "254"
time_zone: Africa/Nairobi
languages:
  en: {locale: en_GB, speech: en-GB, day: d MMM yyyy, money: "KES {amount}",
       unit: {one: shilling, other: shillings}, subunit: {one: cent, other: cents}}
currency: {code: KES, decimals: 2}
numbers: {ussd: "*144#", voice: "100", sms: "144", agent: "+254700000100"}
flows: [invoice, einvoice, code, help]
gates: {code: code.prove}
rules: {proof: {mobile: code}}
""",
    "screens.yaml": """
screens:
  home:
    kind: choice
    options:
      - {text: home.bill_option, key: "1", to: invoice.latest}
      - {text: home.list_option, key: "2", to: invoice.list}
      - {text: home.einvoice_option, key: "3", to: einvoice.confirm}
      - {text: home.code_option, key: "4", to: code.request}
""",
    "keywords.yaml": """
keywords:
  - {words: [BILL], to: invoice.latest}
  - {words: [MSAADA], to: help.show}
  - {words: [CODE], to: code.request}
password: {to: code.by_password}
otherwise: help.keywords
""",
    "texts/en.yaml": """
home: Welcome to Toytel
home.bill_option: My bill
home.list_option: My bills
home.einvoice_option: Bills by e-mail
home.code_option: Code for the web
help.keywords: "Text BILL or MSAADA. Menu: {ussd}"
""",
}


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "operators" / "toy_tel"
    for name, text in PACK_FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
async def toy(pack: Path, sandboxes: SandboxFactory) -> AsyncIterator[GatewaySandbox]:
    """Serve the toy operator with one subscriber who has no bills yet."""
    row = {
        "id": "toy-1",
        "operator": TOY_OPERATOR,
        "msisdn": OWNER,
        "account": "254700000101",
        "name": "Toy Owner",
    }
    row |= {"kind": "mobile", "segment": "residential", "language": "en", "media": "paper"}
    more = {"email": "", "email_validated": False, "address": "", "since": date(2021, 3, 1)}
    async with sandboxes.with_operators(pack.parent, pack.parent.parent).open(operator=TOY_OPERATOR) as sandbox:
        await sandbox.container.database.write(
            lambda c: c.execute(insert(billing_subscribers), row | more).close()
        )
        yield sandbox


def test_nothing_is_wrong_with_it(pack: Path) -> None:
    assert pack_compiler.validate_pack(pack) == []
    assert not list(pack.rglob("*.py"))


def test_it_is_found_by_its_folder(pack: Path) -> None:
    assert pack_compiler.shipped_operators(pack.parent) == [TOY_OPERATOR]
    assert (
        pack_compiler.compile_pack(pack_compiler.pack_folder(TOY_OPERATOR, pack.parent)).config.title
        == "Toytel"
    )


async def test_it_answers_its_own_code(toy: GatewaySandbox) -> None:
    player = toy.dialog_player(toy.direct_line(), OWNER)
    home = await player.perform("dial", "*144#")
    assert home[:2] == ("| Welcome to Toytel", "| 1 My bill")
    assert "No bill yet" in (await player.perform(">", "1"))[0]


async def test_its_subscribers_switch_to_e_invoicing(toy: GatewaySandbox) -> None:
    player = toy.dialog_player(toy.direct_line(), OWNER)
    await player.perform("dial", "*144*3#")
    done = await player.perform(">", "1")
    assert done[0].startswith("| Done! E-invoicing is on") and "= end" in done
    assert done[-1].startswith(f"~ sms {OWNER}: Toytel: you switched")


async def test_a_call_is_asked_for_a_code(toy: GatewaySandbox) -> None:
    player = toy.dialog_player(toy.direct_line(), OWNER)
    await player.perform("call", "100")
    assert "code by S M S" in (await player.perform(">", "1"))[0]
    assert "No bill yet" in (await player.perform(">", "{code}#"))[0]


async def test_its_keywords_are_its_own(toy: GatewaySandbox) -> None:
    player = toy.dialog_player(toy.direct_line(), OWNER)
    assert "No bill yet" in (await player.perform("text", "144 bill"))[0]
    assert (await player.perform("text", "144 FACTURA"))[0] == "| Text BILL or MSAADA. Menu: *144#"


async def test_a_stranger_is_told_so(toy: GatewaySandbox) -> None:
    player = toy.dialog_player(toy.direct_line(), STRANGER)
    told = await player.perform("dial", "*144*1#")
    assert "cannot find a subscription" in told[0] and "= end" in told
