"""Progress bars (Rich) with count, rate and time left; on a terminal only."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

ReportProgress = Callable[[int, int | None], None]
"""Takes the number done, and the total; None where it is unknown."""


class RateColumn(ProgressColumn):
    """Column with the rate: `214 bills/s`; empty until there is one."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        """Return the rate over the last seconds, over all of it when it is done."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} {self._unit}/s" if speed else "")


@contextmanager
def show_progress(description: str, unit: str, stream: TextIO | None = None) -> Iterator[ReportProgress]:
    """Show a bar on standard error while the block runs, and take it away after; nothing in a pipe."""
    stream = stream or sys.stderr
    if not stream.isatty():
        yield lambda done, total: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(unit),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=stream), transient=True) as bars:
        task = bars.add_task(description, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
