"""Tables (Rich) of what a command lists; in pipes and files, plain lines that scripts may read."""

import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_table(
    headers: Sequence[str],
    rows: Iterable[Sequence[object]],
    line_format: str,
    stream: TextIO | None = None,
) -> None:
    """Print rows as a table on a terminal, and elsewhere each as a line in the format (`{:>8}  {}`)."""
    stream = stream or sys.stdout
    if not stream.isatty():
        for row in rows:
            print(line_format.format(*row), file=stream)
        return
    table = Table(*headers, box=SIMPLE_HEAD)
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    Console(file=stream).print(table)
