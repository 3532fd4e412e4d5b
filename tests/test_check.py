"""Checks: a broken pack never starts; each fault is named with its place and what to write instead."""

import shutil
from pathlib import Path

import pytest

from gateway import packs

BROKEN = {
    "unknown target": (
        "screens.yaml", "to: budget}", "to: budgett}",
        "orange_ro/screens.yaml:6:51: home: leads to 'budgett', which is no screen; name one that exists",
    ),
    "unreachable screen": (
        "screens.yaml", "  budget:\n", "  lonely: {kind: end, text: house.bye}\n  budget:\n",
        "orange_ro/screens.yaml:9:11: lonely: nothing leads here; link it or take it out",
    ),
    "dead end on one channel": (
        "screens.yaml", 'budget.bill_option, ussd: "1", voice: "1"', 'budget.bill_option, voice: "1"',
        "orange_ro/screens.yaml:12:7: budget: a dead end on ussd: no option has a key there",
    ),
    "duplicate key": (
        "screens.yaml", 'bill.list_option, ussd: "2"', 'bill.list_option, ussd: "1"',
        "orange_ro/screens.yaml:17:9: bill: key 1 stands twice on ussd; renumber one",
    ),
    "navigation key": (
        "screens.yaml", 'bill.list_option, ussd: "2"', 'bill.list_option, ussd: "0"',
        "orange_ro/screens.yaml:17:9: bill: key 0 is navigation on ussd; choose another",
    ),
    "unknown field": (
        "screens.yaml", "  bill:\n    kind: choice", "  bill:\n    kidn: choice",
        "orange_ro/screens.yaml:14:11: unknown field 'kidn'; did you mean 'kind'?",
    ),
    "missing outcome": (
        "screens.yaml", "    on: {ok: language.done}\n  language.en", "    on: {}\n  language.en",
        "orange_ro/screens.yaml:32:9: language.ro: outcome 'ok' has no edge; write `ok: SCREEN` under `on:`",
    ),
    "unproven path": (
        "screens.yaml", "with: ro\n    needs: line", "with: ro",
        "orange_ro/screens.yaml:29:13: language.ro: touches billing data unproven;"
        " write `needs: line` or stronger",
    ),
    "unknown action": ("screens.yaml", "action: language.choose\n    with: ro", "action: language.chose",
        "orange_ro/screens.yaml:29:13: language.ro: unknown action 'language.chose'; write one of: account"),
    "reserved word": (
        "keywords.yaml", "[AJUTOR]", "[HELP]",
        "orange_ro/keywords.yaml:10:14: 'HELP' is answered by the networks themselves and never reaches a menu;"
        " choose another",
    ),
    "keyword twice": (
        "keywords.yaml", "[AJUTOR]", "[factură]",
        "orange_ro/keywords.yaml:10:14: 'factură' stands twice; keep one",
    ),
    "missing text": (
        "texts/en.yaml", "budget: Budget\n", "",
        "orange_ro/screens.yaml:10:5: budget: text 'budget' is missing in en; write it in texts/en.yaml",
    ),
    "unknown slot": (
        "texts/en.yaml", "budget: Budget\n", "budget: Budget {totl}\n",
        "orange_ro/texts/en.yaml:8:9: budget: no fact is called {totl}",
    ),
    "overflow": ("texts/en.yaml", "budget.bill_option: Bill", f"budget.bill_option: {'Bill' * 60}",
        "orange_ro/texts/en.yaml:9:21: budget on ussd: 257 units of 160: '1 BillBill"),
    "a letter that halves the room": (
        "texts/en.yaml", "budget: Budget\n", "budget: Budget ☎\n",
        "orange_ro/texts/en.yaml:8:9: budget on ussd: '☎' is outside GSM-7 and halves the room",
    ),
    "no gate for a proof": ("pack.yaml", "gates:\n  code: code.prove\n", "",
        "orange_ro/pack.yaml:1:1: einvoice.activate needs 'code'; name its screen under `gates:`"),
    "unknown flow": (
        "pack.yaml", "flows: [invoice,", "flows: [invoices,",
        "orange_ro/pack.yaml:28:9: unknown flow 'invoices'; did you mean 'invoice'?",
    ),
    "a time zone nobody knows": (
        "pack.yaml", "Europe/Bucharest", "Europe/Bucuresti",
        "orange_ro/pack.yaml:6:12: 'time_zone': not a time zone; write one like Europe/Bucharest",
    ),
    "an alias": (
        "pack.yaml", "title: Orange", "title: &t Orange\ncountryy: *t",
        "orange_ro/pack.yaml:3:11: aliases (*name) are not allowed; write the value out",
    ),
    "a tag": (
        "pack.yaml", "title: Orange", "title: !!python/object:os.system x",
        "orange_ro/pack.yaml:2:8: tags (!name) are not allowed; write a plain value",
    ),
    "a key twice": (
        "pack.yaml", "title: Orange", "title: Orange\ntitle: Orange",
        "orange_ro/pack.yaml:3:1: duplicate key 'title'; keep one of them",
    ),
    "not YAML": ("pack.yaml", "title: Orange", "title: [",
        "orange_ro/pack.yaml:4:13: not YAML: expected ',' or ']', but got ':'"),
}  # fmt: skip


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return Path(shutil.copytree(packs.folder("orange-ro"), tmp_path / "orange_ro"))


@pytest.mark.parametrize("fault", BROKEN)
def test_each_fault_is_named_with_its_place(fault: str, pack: Path) -> None:
    file, right, wrong, expected = BROKEN[fault]
    path = pack / file
    assert right in path.read_text()
    path.write_text(path.read_text().replace(right, wrong, 1))
    found = list(map(str, packs.findings(pack)))
    assert found and all(line.count(":") >= 3 for line in found)
    assert expected in "\n".join(found)


@pytest.mark.parametrize("operator", packs.names())
def test_the_packs_we_ship_have_no_findings(operator: str) -> None:
    assert packs.findings(packs.folder(operator)) == []


def test_deep_nesting_is_refused_before_a_tree_exists(pack: Path) -> None:
    (pack / "pack.yaml").write_text("a: " + "[" * 2000)
    assert "nested deeper than 20" in str(packs.findings(pack)[0])


def test_a_huge_file_is_refused_unread(pack: Path) -> None:
    (pack / "pack.yaml").write_text("a" * 300_000)
    assert "300000 bytes" in str(packs.findings(pack)[0])
