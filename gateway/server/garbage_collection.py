"""Garbage collection of long-running processes and bulk runs: thresholds, what it leaves alone."""

import gc

COLLECTOR_THRESHOLDS = (10_000, 5, 20)
"""Of the three generations. A turn leaves no reference cycles, an aborted connection some: a run over the first
generation looks at 10,000 objects and takes a few milliseconds."""


def tune_garbage_collector() -> None:
    """Tune the garbage collector after start, so that no run of it stalls the event loop.

    The objects of the start are frozen: packs, routes, and the tables that fill up later, whose rows are plain
    values. Nothing is frozen afterwards: a connection frozen while it is open could never be collected.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR_THRESHOLDS)
