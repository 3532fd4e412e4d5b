"""Layering: imports go down only, between layers and packages; third-party libraries stay in place."""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ("gateway", "storage", "flows", "menus")
MAY_IMPORT = {
    "gateway": {"gateway", "storage", "flows", "menus"},
    "storage": {"storage", "flows.domain", "menus.model"},
    "flows": {"flows", "menus"},
    "menus": {"menus"},
}
"""Our packages that each layer may import."""
PACKAGES = (
    *("gateway.__main__", "gateway.cli", "gateway.console", "gateway.phone", "gateway.dialogs"),
    *("gateway.demo", "gateway.server"),
    *(
        "gateway.wiring",
        "gateway.telemetry",
        "gateway.links",
        "gateway.pages",
        "gateway.settings_safety",
        "gateway.secret_strength",
        "gateway.settings",
        "gateway.settings_errors",
        "gateway.settings_sources",
        "gateway.console_settings",
        "gateway.telemetry_settings",
        "gateway.http",
        "gateway.observability",
    ),
    *(
        "gateway.delivery",
        "gateway.studio",
        "gateway.publishing",
        "gateway.payments",
        "gateway.purchases",
        "gateway.providers",
        "gateway.asterisk",
        "gateway.speech",
        "gateway.smpp",
        "gateway.gsup",
        "gateway.reconnect_wait",
        "gateway.menu_map",
        "gateway.clock",
    ),
    "storage.console",
    "storage.revisions",
    *("storage.billing", "storage.demo", "storage.ledger", "storage.privacy", "storage.credentials"),
    *("storage.payments", "storage.links", "storage.purchases"),
    *("storage.outbox", "storage.audit", "storage.sessions", "storage.idempotency", "storage.crypto"),
    *("storage.sql", "storage.driver_frames"),
    *("flows.engine", "flows.selfcare", "flows.payments", "flows.purchases", "flows.services", "flows.domain"),
    *(
        "menus.packs",
        "menus.resumption",
        "menus.step",
        "menus.render",
        "menus.machine",
        "menus.text",
        "menus.packfile",
    ),
    "menus.model",
)
"""Packages from top to bottom: each imports only those after it."""
LIBRARIES = {
    "gateway": {
        *(
            "aiohttp",
            "multidict",
            "africastalking",
            "twilio",
            "pydantic",
            "prometheus_client",
            "requests",
            "urllib3",
        ),
        *("typer", "rich", "prompt_toolkit", "pydantic_settings"),
        *(
            "opentelemetry",
            "fpdf",
            "aiosmtplib",
            "jinja2",
            "jwt",
            "authlib",
            "joserfc",
            "markupsafe",
            "cachetools",
        ),
    },
    "storage": {
        *("redis", "sqlalchemy", "aiohttp", "yarl", "hiredis", "asyncpg", "alembic", "argon2"),
        *("cryptography", "yaml", "cachetools", "pydantic"),
    },
    "flows": {"cachetools"},
    "menus": {"transitions", "yaml", "pydantic", "pydantic_core", "babel", "num2words"},
}
FILES = [path for layer in LAYERS for path in sorted((ROOT / layer).rglob("*.py"))]


def imported_names(path: Path) -> Iterator[tuple[int, str]]:
    """Yield every imported module with its line; `from package import module` counts as the module."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            for alias in node.names:
                part = (ROOT / module.replace(".", "/") / alias.name).with_suffix(".py")
                yield node.lineno, f"{module}.{alias.name}" if module in LAYERS or part.exists() else module


def is_allowed(layer: str, name: str) -> bool:
    head = name.split(".")[0]
    if head in LAYERS:
        return any(name == below or name.startswith(f"{below}.") for below in MAY_IMPORT[layer])
    return head in sys.stdlib_module_names or head in LIBRARIES[layer]


def package_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


def package_imports() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for path in FILES:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        ours = {package_of(name) for _, name in imported_names(path) if name.split(".")[0] in LAYERS}
        found[package_of(module)] |= ours - {package_of(module)}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_only(path: Path) -> None:
    layer = path.relative_to(ROOT).parts[0]
    wrong = [f"{line}: {name}" for line, name in imported_names(path) if not is_allowed(layer, name)]
    assert not wrong


def test_packages_import_only_packages_listed_after_them() -> None:
    place = {name: number for number, name in enumerate(PACKAGES)}
    pairs = [(above, below) for above, known in package_imports().items() for below in known]
    layers = [pair for pair in pairs if {pair[0], pair[1]} <= place.keys()]
    assert not [pair for pair in layers if place[pair[0]] > place[pair[1]]]
    assert {name for pair in pairs for name in pair} - set(LAYERS) - {
        f"{n}.__init__" for n in LAYERS
    } <= place.keys()


def test_modules_import_each_other_in_no_circle() -> None:
    graph: dict[str, set[str]] = {}
    for path in FILES:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        graph[module] = {name for _, name in imported_names(path) if name.split(".")[0] in LAYERS}
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("folder", sorted({path.parent for path in FILES}), ids=str)
def test_every_package_says_what_it_is_for_and_exports_nothing(folder: Path) -> None:
    tree = ast.parse((folder / "__init__.py").read_text())
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1


def test_only_one_module_of_menus_imports_transitions() -> None:
    knowing = [path.name for path in (ROOT / "menus").rglob("*.py") if "from transitions" in path.read_text()]
    assert knowing == ["transitions_table.py"]
