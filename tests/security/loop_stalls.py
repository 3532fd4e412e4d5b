"""Stalls of an event loop: which of its callbacks took the most processor time, and where it was meanwhile."""

import asyncio
import gc
import signal
import time
from asyncio.events import Handle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import current_thread, main_thread
from types import FrameType
from typing import Any

from gateway.server.garbage_collection import tune_garbage_collector

REPORTS_KEPT = 6
SAMPLE_SECONDS = 0.005
REPOSITORY = Path(__file__).parents[2]


@dataclass(slots=True)
class StallReport:
    """The longest callback of a run; processor time, so that a busy machine does not count."""

    seconds: float = 0.0
    """Meanwhile the loop served nobody else."""
    callback: str = "none"
    place: str = ""
    """Where it was when looked at: the innermost frame and our innermost one; or the garbage collection."""

    def __str__(self) -> str:
        place = f" at {self.place}" if self.place else ""
        return f"{self.seconds * 1000:.0f} ms in {self.callback}{place}"


@dataclass(slots=True)
class StallMeter:
    """Measures every callback of the event loops of this thread."""

    longest: list[StallReport] = field(default_factory=lambda: [StallReport()])
    """The longest ones, the longest first."""
    began: float = 0.0
    place: str = ""
    collection_began: float = 0.0
    is_measuring: bool = True
    """False once the block is left: the callback that leaves it does other things, too."""

    def run(self, handle: Handle, run: Any) -> Any:
        """Run a callback and keep it if it was the longest."""
        self.place, self.began = "", time.thread_time()
        try:
            return run(handle)
        finally:
            seconds = time.thread_time() - self.began
            self.began = 0.0
            self._keep(StallReport(seconds, callback_name(handle), self.place))

    def _keep(self, report: StallReport) -> None:
        if not self.is_measuring or report.seconds <= self.longest[-1].seconds:
            return
        ordered = sorted((*self.longest, report), key=lambda each: each.seconds, reverse=True)
        self.longest = ordered[:REPORTS_KEPT]

    def note_place(self, number: int, frame: FrameType | None) -> None:
        """Note where a callback is that has run for a while (a signal handler)."""
        if self.began and frame and not self.place and time.thread_time() - self.began > SAMPLE_SECONDS:
            names = [_frame_name(each) for each in _outward(frame)]
            ours = next((name for name in names if not name.startswith("/")), "")
            self.place = ", ".join(dict.fromkeys((names[0], ours)))

    def note_collection(self, phase: str, details: dict[str, int]) -> None:
        """Note a run of the collector (a callback of `gc`): the loop waits for it in whichever thread it is."""
        if phase == "start":
            self.collection_began = time.thread_time()
        elif details["generation"] == 2:
            self.place = "garbage collection"
        if phase == "stop" and current_thread() is not main_thread():
            seconds = time.thread_time() - self.collection_began
            self._keep(StallReport(seconds, current_thread().name, "garbage collection"))


def _outward(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield a frame and its callers."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def _frame_name(frame: FrameType) -> str:
    """Return file, line and function; the path of a file of ours is relative."""
    file = frame.f_code.co_filename.removeprefix(f"{REPOSITORY}/")
    return f"{file}:{frame.f_lineno} {frame.f_code.co_name}"


def callback_name(handle: Handle) -> str:
    """Return the name of a callback; of a task that of its coroutine."""
    callback: Any = handle._callback  # type: ignore[attr-defined]
    task = getattr(callback, "__self__", None)
    if isinstance(task, asyncio.Task):
        return str(getattr(task.get_coro(), "__qualname__", task))
    return str(getattr(callback, "__qualname__", callback))


@contextmanager
def measured_callbacks() -> Iterator[StallMeter]:
    """Measure the processor time of every callback while the block runs; in the main thread only."""
    run, meter = Handle._run, StallMeter()
    Handle._run = lambda handle: meter.run(handle, run)  # type: ignore[method-assign, assignment]
    old_handler = signal.signal(signal.SIGALRM, meter.note_place)
    signal.setitimer(signal.ITIMER_REAL, SAMPLE_SECONDS, SAMPLE_SECONDS)
    gc.callbacks.append(meter.note_collection)
    try:
        yield meter
    finally:
        meter.is_measuring = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old_handler)
        gc.callbacks.remove(meter.note_collection)
        Handle._run = run  # type: ignore[method-assign]


@contextmanager
def tuned_collector() -> Iterator[None]:
    """Tune the garbage collector as a serving process does, and restore its thresholds afterwards."""
    before = gc.get_threshold()
    tune_garbage_collector()
    try:
        yield
    finally:
        gc.set_threshold(*before)
