"""Command `dialtree dialects`: lists the USSD dialects of SMPP with their sources."""

from argparse import Namespace
from collections.abc import Sequence

from gateway.cli.table_output import print_table
from gateway.providers._smpp.dialect import DialectForm, load_dialects

COLUMNS = ("dialect", "session", "begin", "answer", "go on", "end", "abort", "source")
LINE_FORMAT = "{:<11} {:<12} {:<6} {:<7} {:<6} {:<4} {:<6} {}"


def main(args: Namespace) -> int:
    """Print the dialects, one a line, and return 0."""
    rows = [dialect_row(name, dialect) for name, dialect in load_dialects().items()]
    print_table(COLUMNS, rows, LINE_FORMAT)
    return 0


def dialect_row(name: str, dialect: DialectForm) -> tuple[str, ...]:
    """Return one dialect as a row; one that cannot be used says why in place of its operations."""
    if dialect.unusable:
        return (name, "-", "-", "-", "-", "-", "-", f"{dialect.unusable} ({dialect.source})")
    session = f"its & {dialect.mask:04x}" if dialect.session == "its" else dialect.session
    operations = (_list(dialect.open), _list(dialect.reply), str(dialect.go_on), str(dialect.end))
    return (name, session, *operations, ",".join(map(str, dialect.abort)) or "-", dialect.source)


def _list(operations: Sequence[int]) -> str:
    return ",".join(map(str, operations)) or "any"
