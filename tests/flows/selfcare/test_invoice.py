"""Part-paid bills: every operator states the remaining amount, in every language and channel."""

import shutil
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from flows.domain.records import Bill, BillLine, BillState
from flows.domain.rubrics import COMMUNICATION_PARTS, RUBRICS
from flows.selfcare.invoice import bill_facts, charges_by_rubric
from gateway.publishing import pack_compiler
from menus.machine.menu import Menu
from menus.model.facts import Fact, Facts, Money, Rows, Text, TextRef
from menus.packfile.schema import CHANNELS
from tests.support.shipped_packs import shipped_menu

BILL = Bill(
    id="b1",
    number="X-202603",
    account="a1",
    issued=date(2026, 3, 1),
    due=date(2026, 3, 20),
    total=Decimal("89.90"),
    tax=Decimal("14.98"),
    remaining=Decimal("39.90"),
    state="part",
)
MENUS = {name: shipped_menu(name) for name in pack_compiler.shipped_operators()}
TEXT_CASES = [
    (name, language, channel)
    for name in MENUS
    for language in MENUS[name].language_packs
    for channel in CHANNELS
]


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return Path(shutil.copytree(pack_compiler.pack_folder("orange-ro"), tmp_path / "orange_ro"))


def part_paid_facts(bill: Bill) -> dict[str, Fact | Rows]:
    return {**bill_facts(bill, "+33600000102"), "customer": Text("***102")}


def bill_text(menu: Menu, language: str, channel: str, state: BillState) -> str:
    return menu.fill_text("invoice.show", language, channel, part_paid_facts(replace(BILL, state=state)))


@pytest.mark.parametrize(("operator", "language", "channel"), TEXT_CASES)
@pytest.mark.parametrize("state", ["part", "overdue"])
def test_a_bill_paid_in_part_says_what_is_left(
    operator: str, language: str, channel: str, state: BillState
) -> None:
    menu = shipped_menu(operator)
    left = menu.language_pack(language, channel).format_fact(Money(BILL.remaining), channel)
    assert left in bill_text(menu, language, channel, state)


@pytest.mark.parametrize(("operator", "language", "channel"), TEXT_CASES)
def test_one_that_is_overdue_says_so(operator: str, language: str, channel: str) -> None:
    menu = shipped_menu(operator)
    overdue = menu.language_pack(language, channel).format_fact(TextRef("state.overdue"), channel)
    assert overdue in bill_text(menu, language, channel, "overdue")


def replace_text(pack: Path, text: str) -> str:
    texts = pack / "texts" / "en.yaml"
    texts.write_text(f"{texts.read_text()}\n{text}\n")
    return "\n".join(map(str, pack_compiler.validate_pack(pack)))


def test_a_plural_form_no_fact_can_select_is_a_finding(pack: Path) -> None:
    found = replace_text(pack, "invoice.show: {by: state, partly: '{state}', other: '{state}'}")
    assert "unknown category 'partly'" in found and "overdue, paid, part" in found


def test_each_form_of_a_text_must_fit(pack: Path) -> None:
    found = replace_text(pack, f"einvoice.done: {{by: state, part: {'x' * 200}, other: '{{state}}'}}")
    assert "einvoice.done on ussd: 2" in found


NOT_DEMANDED: tuple[BillState, ...] = ("paid", "credit", "cancelled")


@pytest.mark.parametrize(("operator", "language", "channel"), TEXT_CASES)
@pytest.mark.parametrize("state", NOT_DEMANDED)
def test_what_is_not_to_be_paid_names_no_day_and_no_rest(
    operator: str, language: str, channel: str, state: BillState
) -> None:
    language_pack = shipped_menu(operator).language_pack(language, channel)
    template = language_pack.catalogue.template_for("invoice.show", channel).form_for(state)
    assert not {"due", "remaining"} & set(template.parts[1::2])
    assert "total" in template.parts[1::2]


@pytest.mark.parametrize(("operator", "language", "channel"), TEXT_CASES)
def test_a_credit_note_is_no_bill(operator: str, language: str, channel: str) -> None:
    shown = bill_text(shipped_menu(operator), language, channel, "credit")
    assert shown != bill_text(shipped_menu(operator), language, channel, "paid")


def charge(rubric: str, amount: str) -> BillLine:
    return BillLine(rubric=rubric, user="", amount=Decimal(amount))


def row_amounts(facts: Facts) -> list[Decimal]:
    rows = facts["charged"]
    assert isinstance(rows, Rows)
    return [fact.amount for _, fact in rows.rows if isinstance(fact, Money)]


@pytest.mark.parametrize("rubric", [*RUBRICS, "of another release"])
def test_every_rubric_is_a_row(rubric: str) -> None:
    assert row_amounts(charges_by_rubric([charge(rubric, "21.61")], Decimal("21.61"))) == [Decimal("21.61")]


@pytest.mark.parametrize("total", ["10.00", "10.01", "9.50", "0.00"])
def test_the_rows_add_up_to_the_bill(total: str) -> None:
    facts = charges_by_rubric([charge("subscriptions", "7.00"), charge("prorata", "3.00")], Decimal(total))
    assert sum(row_amounts(facts)) == Decimal(total)


def test_the_parts_of_communications_are_rows_of_their_own_and_one_sum() -> None:
    parts = [charge(rubric, "0.10") for rubric in COMMUNICATION_PARTS]
    facts = charges_by_rubric([*parts, charge("communications", "1.00"), charge("options", "2.00")])
    assert facts["communications"] == Money(Decimal("1.40"))
    assert sum(row_amounts(facts)) == Decimal("3.40") and len(row_amounts(facts)) == 6
    calls = facts["calls"]
    assert isinstance(calls, Rows) and len(calls.rows) == 5
