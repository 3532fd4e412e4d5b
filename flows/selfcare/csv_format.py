"""CSV format: separators of a language, byte order mark, and cells no spreadsheet takes for a formula."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from flows.domain.rubrics import LINE_RUBRICS
from menus.machine.menu import Menu
from menus.text.formats import Currency, decimal_mark

CSV_COLUMNS = ("bill", "issued", "centre", "user", "rubric", "label", "amount", "currency")
COLUMN_TEXTS: Mapping[str, str] = {
    "bill": "page.bill_number",
    "issued": "page.issued",
    "centre": "page.centre",
    "user": "page.line",
    "rubric": "page.rubric",
    "label": "page.label",
    "amount": "page.amount",
    "currency": "page.currency",
    "date": "page.day",
    "kind": "page.kind",
    "quantity": "page.quantity",
    "unit": "page.unit",
}
"""The heading of each column in the text catalogue."""
FORMULA_PREFIXES = tuple("=+-@\t\r\n'＝＋－＠")
"""First characters of a cell that a spreadsheet might run as a formula; ' because we quote with it."""
_AMOUNT_PATTERN = re.compile(r"-?\d+([.,]\d+)?", re.ASCII)
_INNER_FORMULA = re.compile(r"""([,;|\t\r\n"]\s*)(?=[=+\-@'＝＋－＠])""")
"""Matches a character some program takes for a separator or a quote, with a formula behind it."""
BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class CsvFormat:
    """How an export is written: for people in their language, or raw for programs."""

    header: tuple[str, ...]
    separator: str = ","
    decimal_mark: str = "."
    key_names: Mapping[str, str] = field(default_factory=dict)
    """Names shown in place of keys of rubrics, kinds and units; empty shows the keys."""
    currency: Currency | None = None
    """Amounts are rounded to its decimals; None keeps every digit."""
    has_byte_order_mark: bool = False
    """Spreadsheets need it to see that the file is UTF-8; programs may stumble over it."""

    def format_amount(self, amount: Decimal) -> str:
        """Return an amount without its currency and without marks between thousands."""
        exact = self.currency.round_amount(amount) if self.currency else amount
        return f"{exact:f}".replace(".", self.decimal_mark)

    def format_key(self, key: str) -> str:
        """Return the name of a rubric, a kind of usage or a unit."""
        return self.key_names.get(key, key)


RAW_FORMAT = CsvFormat(CSV_COLUMNS)
"""Bills for programs, in any language: English keys, comma, decimal point, every digit, no mark in front."""
KEY_TEXTS: Mapping[str, str] = {
    **{rubric: f"page.rubric_{rubric}" for rubric in LINE_RUBRICS},
    **{kind: f"usage.{kind}" for kind in ("call", "data", "text", "other")},
    "min": "usage.call_unit",
    "MB": "usage.data_unit",
}
"""The name of each rubric, kind of usage and unit in the text catalogue."""


def local_format(menu: Menu, language: str, columns: Sequence[str] = CSV_COLUMNS) -> CsvFormat:
    """Return the format of a pack's language: its words and its country's separators.

    Where the decimal mark is a comma, spreadsheets separate cells by semicolons.
    """
    mark = decimal_mark(menu.config.languages[language].locale)

    def text(name: str) -> str:
        return menu.fill_text(name, language, "web", {})

    return CsvFormat(
        header=tuple(text(COLUMN_TEXTS[column]) for column in columns),
        separator=";" if mark == "," else ",",
        decimal_mark=mark,
        key_names={key: text(name) for key, name in KEY_TEXTS.items()},
        currency=Currency(menu.config.currency.code, menu.config.currency.decimals, "{amount}"),
        has_byte_order_mark=True,
    )


def encode_csv(rows: Iterable[Iterable[str]], csv_format: CsvFormat = RAW_FORMAT) -> bytes:
    """Encode rows as CSV (RFC 4180, UTF-8) with every cell safe from spreadsheet formula injection."""
    out = io.StringIO(newline="")
    out.write(BYTE_ORDER_MARK if csv_format.has_byte_order_mark else "")
    writer = csv.writer(out, delimiter=csv_format.separator, lineterminator="\r\n")
    writer.writerows([escape_formula(cell) for cell in row] for row in rows)
    return out.getvalue().encode("utf-8", "replace")


def escape_formula(cell: str) -> str:
    """Put an apostrophe before what a spreadsheet might run, whatever character it separates cells by.

    That is a formula at the beginning of a cell, and one behind a comma, semicolon, bar, tab, line break or
    quote inside it; an apostrophe already there is doubled, so that the text can be read back. Plain amounts
    stay numbers.
    """
    if _AMOUNT_PATTERN.fullmatch(cell):
        return cell
    guarded = _INNER_FORMULA.sub(r"\1'", cell)
    return f"'{guarded}" if cell.lstrip(" \xa0").startswith(FORMULA_PREFIXES) else guarded
