"""docs/rules.md: all 74 rules, each with its state, and written from the tests there are."""

from tests import rules


def test_there_are_seventy_four_rules() -> None:
    names = [name for name, _, _ in rules.rules()]
    assert len(names) == len(set(names)) == 74


def test_the_page_is_what_the_tests_say() -> None:
    assert rules.PAGE.read_text() == rules.page(), "run: python -m tests.rules"


def test_every_test_with_a_rules_id_names_a_rule_there_is() -> None:
    assert set(rules.shown()) <= {name for name, _, _ in rules.rules()}
