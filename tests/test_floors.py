"""The house has four floors: imports go down only, and third parties stay where they belong."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("gateway", "storage", "flows", "menus")
BELOW = {
    "gateway": {"gateway", "storage", "flows", "menus"},
    "storage": {"storage", "flows.ports", "flows.records", "flows.failures", "menus.session"},
    "flows": {"flows", "menus"},
    "menus": {"menus"},
}
THIRD = {
    "gateway": {
        *(
            "aiohttp",
            "africastalking",
            "twilio",
            "pydantic",
            "prometheus_client",
            "requests",
            "urllib3",
            "fpdf",
        ),
        "aiosmtplib",
    },
    "storage": {
        "redis",
        "sqlalchemy",
        "aiohttp",
        "yarl",
        "hiredis",
        "asyncpg",
        "alembic",
        "argon2",
        "cryptography",
        "yaml",
    },
    "flows": set(),
    "menus": {"transitions", "yaml", "pydantic", "pydantic_core", "babel", "num2words"},
}
FILES = [path for floor in OURS for path in sorted((ROOT / floor).rglob("*.py"))]


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every imported module with its line; relative imports count as wrong on sight."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            whole = module in OURS
            yield from ((node.lineno, f"{module}.{alias.name}" if whole else module) for alias in node.names)


def allowed(floor: str, name: str) -> bool:
    head = name.split(".")[0]
    if head in OURS:
        return any(name == below or name.startswith(f"{below}.") for below in BELOW[floor])
    return head in sys.stdlib_module_names or head in THIRD[floor]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_only(path: Path) -> None:
    floor = path.relative_to(ROOT).parts[0]
    wrong = [f"{line}: {name}" for line, name in imports(path) if not allowed(floor, name)]
    assert not wrong


def test_only_one_module_of_menus_knows_transitions() -> None:
    knowing = [path.name for path in (ROOT / "menus").rglob("*.py") if "from transitions" in path.read_text()]
    assert knowing == ["machine.py"]
