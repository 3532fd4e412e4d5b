"""Voice: units that agree with their numbers, and what input screens say of their keys."""

from decimal import Decimal

import pytest

from menus.model.facts import Count, Fact, Money, Month, PhoneNumber, Rows, TextRef
from menus.model.reply import Reply
from menus.model.session import Session
from menus.render.voice import render_call_reply
from tests.support.shipped_packs import shipped_menu

USAGE_WORDS = {
    ("fr", "call", 1): "une minute",
    ("fr", "call", 21): "vingt et une minutes",
    ("fr", "call", 0): "zéro minute",
    ("fr", "data", 1): "un mégaoctet",
    ("fr", "data", 512): "cinq cent douze mégaoctets",
    ("fr", "text", 1): "un message",
    ("en", "call", 1): "one minute",
    ("en", "data", 0): "zero megabytes",
    ("en", "text", 2): "two messages",
}


@pytest.mark.parametrize(("language", "kind", "count"), USAGE_WORDS)
def test_a_unit_agrees_with_its_number(language: str, kind: str, count: int) -> None:
    menu = shipped_menu("orange-fr")
    facts: dict[str, Fact | Rows] = {
        "what": TextRef(f"usage.{kind}"),
        "unit": TextRef(f"usage.{kind}_unit"),
        "quantity": Count(count),
    }
    said = menu.fill_text("usage.row", language, "voice", facts)
    assert said.endswith(f", {USAGE_WORDS[language, kind, count]}.")


def call_prompts(node: str, facts: dict[str, Fact | Rows]) -> Reply:
    menu = shipped_menu("bouygues")
    session = Session("bouygues", "voice", "+33660000101", menu.revision, node, "en", facts=facts)
    return render_call_reply(menu, session)


@pytest.mark.parametrize(("lines", "keys"), [(1, 1), (3, 1), (10, 2), (25, 2)])
def test_a_list_of_ten_says_that_hash_ends_the_number(lines: int, keys: int) -> None:
    rows = Rows(("user", "share"), ((PhoneNumber("+33660000101"), Money(Decimal(9))),) * lines)
    reply = call_prompts("invoice.by_user", {"month": Month(2026, 3), "users": rows})
    assert reply.gather is not None
    assert reply.gather.max_keys == keys
    assert ("then press hash" in reply.prompts[-1].text) == (keys > 1)


def test_an_input_does_not_offer_hash_to_hear_it_again() -> None:
    reply = call_prompts("invoice.month", {})
    assert reply.prompts[-1].text == "To go back, press star."
