"""docs/rules.md lists all rules with their state and is generated from the tests."""

from tests.rules.rules_table import DEFERRED_RULES, PAGE_PATH, load_rules, render_page, rule_tests

STATED, PROMISED_IN_TEXTS = 74, 5


def test_there_are_the_stated_rules_and_those_that_texts_promise() -> None:
    names = [name for name, _, _ in load_rules()]
    assert len(names) == len(set(names)) == STATED + PROMISED_IN_TEXTS


def test_the_page_is_what_the_tests_say() -> None:
    assert PAGE_PATH.read_text() == render_page(), "run: python -m tests.rules.rules_table"


def test_each_built_rule_names_a_test_that_exists() -> None:
    for name, tests in rule_tests().items():
        assert all(test.partition(".")[2].startswith(f"test_{name}_") for test in tests)


def test_a_deferred_rule_is_later_whatever_tests_it_has() -> None:
    rows = [
        line
        for line in render_page().splitlines()
        if line.split(" ")[1:2] and line.split(" ")[1] in DEFERRED_RULES
    ]
    assert len(rows) == len(DEFERRED_RULES) and all("| later: " in row for row in rows)
