"""Write docs/rules.md, the table of service rules and their tests: `python -m tests.rules.rules_table`."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE_PATH = ROOT / "docs" / "rules.md"
PAYMENT_FILES = (
    *("direct_debits", "promises", "payment_mails", "wallet_payments"),
    *("instalment_reminders", "pay_acceptance"),
)
PAYMENT_TESTS = tuple(f"system/test_{what}.py" for what in PAYMENT_FILES)
TEST_PATTERNS = ("rules/test_*.py", "gateway/pages/test_*.py", "system/test_purchases*.py", *PAYMENT_TESTS)
"""Files whose T and F numbers are rules; elsewhere T is a threat and F a fault.

In the tests of the pages a number above T10 is a threat.
"""
RULE_IN_TEST_NAME = re.compile(r"^test_([TMRFB]\d+)_")
DEFERRED_RULES: Mapping[str, str] = {
    "R11": "a page of the operator's own; the switch itself is R12 and R13",
    "B21": "a figure, nothing to build",
    "B18": "happens in the store",
}
PARTIAL_RULES: Mapping[str, str] = {
    "R2": "on the page; this operator's menus have no link to it",
    "R5": "on USSD and by text; calls read the latest bill only",
    "F1": "by number; the code may come by e-mail, an e-mail address alone does not name the line",
}
"""What is not there of rules that are built in part."""
PAGE_HEAD = """# Rules

What the five model services promise, each with its state and a test that shows it. T is Tunisie Telecom,
M Maroc Telecom, R Orange România, F Orange France, B Bouygues Telecom.
Written by `python -m tests.rules.rules_table`.

| rule | promise | channels | state | test |
|---|---|---|---|---|
"""


def load_rules() -> Iterator[tuple[str, str, str]]:
    """Yield every rule as (id, promise, channels)."""
    for line in (ROOT / "tests" / "rules" / "rules.tsv").read_text().splitlines():
        name, promise, channels = line.split("\t")
        yield name, promise, channels.strip()


def rule_tests() -> Mapping[str, list[str]]:
    """Return the tests that carry a rule's id in their name, by rule."""
    found: dict[str, list[str]] = defaultdict(list)
    known = {name for name, _, _ in load_rules()}
    for path in sorted(path for where in TEST_PATTERNS for path in (ROOT / "tests").glob(where)):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                named = RULE_IN_TEST_NAME.match(node.name)
                if named and named[1] in known and not _is_threat(named[1], path):
                    found[named[1]].append(f"{path.stem}.{node.name}")
    return found


def _is_threat(number: str, path: Path) -> bool:
    """Return whether a number in the name of a test of the pages is a threat's."""
    return "pages" in path.parts and number.startswith("T") and int(number[1:]) > 10


def render_page() -> str:
    """Return the whole table as Markdown."""
    tests = rule_tests()
    return PAGE_HEAD + "".join(f"{_render_row(*rule, tests)}\n" for rule in load_rules())


def _render_row(name: str, promise: str, channels: str, tests: Mapping[str, list[str]]) -> str:
    named = tests.get(name, [])
    state = f"later: {DEFERRED_RULES[name]}" if name in DEFERRED_RULES else "built" if named else "open"
    state = f"in part: {PARTIAL_RULES[name]}" if name in PARTIAL_RULES else state
    more = f" (+{len(named) - 1})" if len(named) > 1 else ""
    test = f"`{named[0]}`{more}" if named else ""
    return f"| {name} | {promise} | {channels} | {state} | {test} |"


if __name__ == "__main__":
    PAGE_PATH.write_text(render_page())
