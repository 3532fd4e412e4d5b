"""Exception hook as error trackers install it: the local variables of every frame, of causes, too."""

import logging
import traceback
from collections.abc import Iterator


def frames_with_locals(error: BaseException | None) -> Iterator[str]:
    """Yield each local variable of each frame of an exception, its causes and contexts."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        waiting += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]
        yield f"{type(each).__name__}: {each}"
        for frame, line in traceback.walk_tb(each.__traceback__):
            for name, value in frame.f_locals.items():
                yield f"{frame.f_code.co_filename}:{line} {frame.f_code.co_name} {name} = {_shown(value)}"


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:  # a repr that fails is no leak
        return type(error).__name__


class LocalsRecorder(logging.Handler):
    """A log handler that keeps what an error tracker would send."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.error_count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the frames of a record with an exception."""
        if record.exc_info and record.exc_info[1]:
            self.error_count += 1
            self.lines += frames_with_locals(record.exc_info[1])
