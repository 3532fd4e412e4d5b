"""JSON logging: one line a record, allow-listed fields only, nothing about a person."""

import ast
import json
import logging
from collections.abc import Iterator
from pathlib import Path

from gateway.observability.logging import ALLOWED_FIELDS, JsonFormatter

NUMBER = "+40740000101"


def log_record(message: str, **extra: object) -> logging.LogRecord:
    made = logging.LogRecord("dialtree.turn", logging.WARNING, __file__, 1, message, None, None)
    made.__dict__.update(extra)
    return made


def test_listed_fields_are_printed_and_others_dropped() -> None:
    line = json.loads(JsonFormatter().format(log_record("step.failed", node="invoice.latest", caller=NUMBER)))
    assert line["node"] == "invoice.latest" and line["event"] == "step.failed"
    assert NUMBER not in json.dumps(line)


def test_an_exception_shows_its_type_and_places_and_not_its_message() -> None:
    try:
        raise ValueError(f"password of {NUMBER}")
    except ValueError as error:
        made = log_record("webhook.failed", exc_info=(type(error), error, error.__traceback__))
    text = JsonFormatter().format(made)
    assert "ValueError" in text and Path(__file__).name in text and NUMBER not in text


def test_line_breaks_and_colours_in_a_field_stay_in_one_line() -> None:
    text = JsonFormatter().format(log_record("webhook.failed", node="a\r\n\x1b[31mb"))
    assert len(text.splitlines()) == 1 and "\x1b" not in text


def test_other_libraries_messages_are_not_repeated() -> None:
    made = logging.LogRecord("aiohttp.server", logging.ERROR, __file__, 1, f"Error for {NUMBER}", None, None)
    assert NUMBER not in JsonFormatter().format(made)


def fields_in(path: Path) -> Iterator[str]:
    """Return the field names a module passes to its log calls."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "extra" and isinstance(node.value, ast.Dict):
            yield from (str(key.value) for key in node.value.keys if isinstance(key, ast.Constant))


def test_every_field_that_is_given_is_on_the_list() -> None:
    root = Path(__file__).parents[3]
    modules = [path for floor in ("flows", "gateway", "storage") for path in (root / floor).rglob("*.py")]
    named = {name for path in modules for name in fields_in(path)}
    assert "operator" in named and named <= ALLOWED_FIELDS


def test_a_keyed_hash_is_never_masked_and_a_number_always_is() -> None:
    tag, revision = "9fc797001192d12ff44340a9", "12345678"
    line = json.loads(JsonFormatter().format(log_record("turn.done", subscriber=tag, revision=revision)))
    assert (line["subscriber"], line["revision"]) == (tag, revision)
    for field in ("subscriber", "revision", "node"):
        assert NUMBER[1:] not in JsonFormatter().format(log_record("turn.done", **{field: NUMBER[1:]}))
