"""Confirmation of a large run: the number of messages is typed again, or was an option."""

import sys
from collections.abc import Callable


def is_confirmed(
    count: int,
    threshold: int,
    confirmed: int,
    *,
    ask: Callable[[str], str] = input,
    can_ask: bool | None = None,
) -> bool:
    """Return whether so many messages may be enqueued.

    Up to `threshold`, and up to what `--confirm` gives, they may; 0 is no threshold. Otherwise somebody at a
    terminal must type the number; anywhere else the answer is no.
    """
    if not threshold or count <= max(threshold, confirmed):
        return True
    if not (sys.stdin.isatty() if can_ask is None else can_ask):
        return False
    return ask(f"{count} messages would go out. Type the number to enqueue them: ").strip() == str(count)
