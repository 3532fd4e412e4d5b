"""Write docs/settings.md from the settings' models.

Run: python -m tools.settings_reference [--check]   (status 1 when the page is not what the models say)
"""

import argparse
import ast
import inspect
import itertools
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from gateway import settings
from gateway.console_settings import ConsoleSettings, GroupRights, OpenIdSettings
from gateway.payments.provider_settings import PaymentSettings
from gateway.payments.wallet_settings import WalletSettings
from gateway.providers.registry import discover_providers
from gateway.purchases.merchant_settings import MerchantSettings, PurchaseEventSettings, PurchaseSettings
from gateway.telemetry_settings import TelemetrySettings

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
HEAD = """# Settings

Written by `python -m tools.settings_reference` from the models; do not edit. Every value stands in
`dialtree.toml`, or in the environment as `DIALTREE_SECTION__FIELD`, which wins:
`DIALTREE_OPERATORS__ORANGE_RO__ROUTES__SMS`. `DATABASE_URL`, `REDIS_URL` and `PORT` are read as platforms give
them. [running.md](running.md) says what the values mean for operation.
"""
SECTIONS: tuple[tuple[str, str, type[BaseModel]], ...] = (
    ("The gateway", "", settings.Settings),
    ("Support console", "[console]", ConsoleSettings),
    ("Sign-in by OpenID Connect", "[console.openid]", OpenIdSettings),
    ("Rights of a group", "[console.openid.groups.GROUP]", GroupRights),
    ("Telemetry", "[telemetry]", TelemetrySettings),
    ("An operator", "[operators.NAME]", settings.OperatorSettings),
    ("Routes of messages", "[operators.NAME.routes]", settings.RouteSettings),
    ("Rates", "[operators.NAME.rates]", settings.RateSettings),
    ("Help desk", "[operators.NAME.desk]", settings.DeskSettings),
    ("Payments", "[operators.NAME.payments]", PaymentSettings),
    ("A wallet", "[operators.NAME.wallet]", WalletSettings),
    ("Purchases on the bill", "[operators.NAME.purchases]", PurchaseSettings),
    ("Events of purchases", "[operators.NAME.purchases.events]", PurchaseEventSettings),
    ("A merchant", "[operators.NAME.purchases.merchants.ID]", MerchantSettings),
    ("Any connection to a provider", "[operators.NAME.PROVIDER]", settings.ConnectionSettings),
)
HIDDEN_FIELDS = frozenset(
    {"operators", "links", "settings", "routes", "rates", "desk", "console", "telemetry", "openid", "groups"}
)
"""Fields that are sections of their own."""


def main() -> int:
    """Write or check the page; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.settings_reference")
    parser.add_argument(
        "--check", action="store_true", help="only compare; status 1 when the page is out of date"
    )
    page = "\n".join(page_lines())
    if not parser.parse_args().check:
        PAGE.write_text(page)
        return 0
    return int(not PAGE.exists() or PAGE.read_text() != page)


def page_lines() -> Iterator[str]:
    """Yield the lines of the page."""
    yield HEAD
    for title, table, model in SECTIONS:
        yield from section_lines(title, table, model)
    for name, provider in sorted(discover_providers().items()):
        yield from section_lines(f"Provider {name}", f"[operators.NAME.{name}]", provider.Settings)


def section_lines(title: str, table: str, model: type[BaseModel]) -> Iterator[str]:
    """Yield one section: a row for each field."""
    yield f"## {title}\n"
    if table:
        yield f"`{table}`\n"
    yield "| field | default | meaning |\n|---|---|---|"
    texts = field_texts(model)
    for name, field in model.model_fields.items():
        if name not in HIDDEN_FIELDS:
            text = field.description or texts.get(name, "")
            yield f"| `{name}` | {default_text(field)} | {' '.join(text.split()).replace('|', chr(92) + '|')} |"
    yield ""


def default_text(field: Any) -> str:
    """Return a field's default as written in TOML; `required` without one."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined or value is None or isinstance(value, BaseModel):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"`{value}`"
    return f'`"{value}"`' if isinstance(value, str) and value else ""


def field_texts(model: type[BaseModel]) -> dict[str, str]:
    """Return the texts below the fields of a model and its bases, by field."""
    texts: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            texts |= class_texts(base)
    return texts


def class_texts(model: type[BaseModel]) -> dict[str, str]:
    """Return the texts below the fields of one class; none where its source is not a file."""
    try:
        source = textwrap.dedent(inspect.getsource(model))
    except (OSError, TypeError):
        return {}
    body = ast.parse(source).body[0].body  # type: ignore[attr-defined]
    pairs = itertools.pairwise(body)
    return {
        above.target.id: below.value.value
        for above, below in pairs
        if isinstance(above, ast.AnnAssign)
        and isinstance(above.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


if __name__ == "__main__":
    sys.exit(main())
