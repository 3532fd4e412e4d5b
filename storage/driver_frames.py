"""Stack frames of drivers, dropped from exceptions: their local variables hold passwords and URLs."""


def drop_frames(error: BaseException) -> BaseException:
    """Return the exception without its frames, those of its causes and contexts included; keep its messages."""
    waiting, seen = [error], {id(error)}
    while waiting:
        each = waiting.pop()
        each.__traceback__ = None
        linked = (each.__cause__, each.__context__, *getattr(each, "exceptions", ()))
        waiting += [link for link in linked if link is not None and id(link) not in seen]
        seen.update(map(id, waiting))
    return error
