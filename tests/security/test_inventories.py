"""docs/security.md lists every key, every use of cryptography and every log event of the code."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from pydantic import BaseModel, SecretStr

from gateway.observability.logging import ALLOWED_FIELDS
from gateway.providers.registry import discover_providers
from gateway.settings import DeskSettings, OperatorSettings, Settings
from storage.crypto import AeadCipher, derive_key
from storage.outbox.enqueue import KEY_PURPOSE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
CRYPTOGRAPHY = {"argon2", "cryptography", "hashlib", "hmac", "secrets"}
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


@cache
def parse_sources() -> Mapping[str, ast.Module]:
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text())
        for floor in ("gateway", "storage", "flows", "menus")
        for path in sorted((ROOT / floor).rglob("*.py"))
    }


def table_rows(head: str) -> dict[str, list[str]]:
    """Return the rows of the table under a heading, by their first cell."""
    (body,) = re.findall(rf"^\| {head} \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in body.splitlines()]
    return {row[0].strip(): [cell.strip(" |") for cell in row[1:]] for row in rows}


def calls_in(tree: ast.AST) -> Iterator[ast.Call]:
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def key_purposes() -> Iterator[str]:
    """Return the purposes given to `derive_key` and `AeadCipher` wherever they are called."""
    for name, tree in parse_sources().items():
        for call in calls_in(tree):
            if isinstance(call.func, ast.Name) and call.func.id in (derive_key.__name__, AeadCipher.__name__):
                said = call.args[1]
                if isinstance(said, ast.Constant):
                    yield str(said.value)
                elif name != "storage/crypto.py":
                    assert isinstance(said, ast.Name) and said.id.endswith("PURPOSE"), name
                    yield KEY_PURPOSE


def test_every_purpose_of_a_key_is_on_the_page() -> None:
    listed = {name.strip("`") for name in table_rows("purpose")}
    assert listed == set(key_purposes())


def test_no_purpose_keys_both_a_cipher_and_a_hash() -> None:
    ciphers = {name.strip("`") for name, cells in table_rows("purpose").items() if "AES" in cells[1]}
    sealing = {
        call.args[1]
        for tree in parse_sources().values()
        for call in calls_in(tree)
        if _named(call, AeadCipher.__name__)
    }
    said = {each.value if isinstance(each, ast.Constant) else KEY_PURPOSE for each in sealing}
    hashing = {
        call.args[1]
        for tree in parse_sources().values()
        for call in calls_in(tree)
        if _named(call, derive_key.__name__)
    }
    assert ciphers == said | {"sessions"}
    assert not said & {each.value for each in hashing if isinstance(each, ast.Constant)}


def test_the_key_of_sessions_makes_the_keys_of_its_cipher_and_nothing_else() -> None:
    deriving = [
        name
        for name, tree in parse_sources().items()
        for call in calls_in(tree)
        if _named(call, derive_key.__name__)
        and isinstance(call.args[1], ast.Constant)
        and call.args[1].value == "sessions"
    ]
    assert deriving == ["storage/crypto.py"]


def _named(call: ast.Call, name: str) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == name


def test_every_module_with_cryptography_is_on_the_page() -> None:
    using = {name for name, tree in parse_sources().items() if imported_packages(tree) & CRYPTOGRAPHY}
    listed = [name for cells in table_rows("algorithm").values() for name in cells[0].split(", ")]
    assert sorted(listed) == sorted(using)


def imported_packages(tree: ast.AST) -> set[str]:
    """Return the packages a module imports."""
    plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    froms = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in plain | froms}


def test_every_secret_of_the_settings_is_on_the_page() -> None:
    models: list[type[BaseModel]] = [
        Settings,
        OperatorSettings,
        DeskSettings,
        *(provider.Settings for provider in discover_providers().values()),
    ]
    secret = {
        name
        for model in models
        for name, field in model.model_fields.items()
        if "SecretStr" in str(field.annotation) or field.annotation is SecretStr
    }
    listed = {name for row in table_rows("setting") for name in re.findall(r"`(?:desk\.)?(\w+)`", row)}
    assert secret - {"secret_key"} <= listed


def log_events() -> Iterator[tuple[str, str, ast.Call]]:
    """Yield logger, event and call of every log statement."""
    for tree in parse_sources().values():
        loggers = {
            node.targets[0].id: node.value.args[0].value
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Call)
            and getattr(node.value.func, "attr", "") == "getLogger"
            and isinstance(node.value.args[0], ast.Constant)
        }
        for call in calls_in(tree):
            name, _, level = ast.unparse(call.func).partition(".")
            if name in loggers and level in LEVELS:
                assert isinstance(call.args[0], ast.Constant)
                yield str(loggers[name]), str(call.args[0].value), call


def test_every_event_is_on_the_page_under_its_logger() -> None:
    found = defaultdict(set)
    for logger, event, _ in log_events():
        found[logger].add(event)
    assert {logger: set(cells[0].split("; ")) for logger, cells in table_rows("logger").items()} == found


def test_every_field_is_on_the_page() -> None:
    assert {name for row in table_rows("field") for name in row.split(", ")} == ALLOWED_FIELDS


def test_no_event_brings_a_field_that_is_dropped() -> None:
    for logger, event, call in log_events():
        extras = [each.value for each in call.keywords if each.arg == "extra"]
        keys = [key for extra in extras if isinstance(extra, ast.Dict) for key in extra.keys]
        assert {key.value for key in keys if isinstance(key, ast.Constant)} <= ALLOWED_FIELDS, (logger, event)
