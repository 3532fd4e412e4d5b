"""Error messages of the command line: on standard error, so that pipes and files get results only."""

import os
import sys
from importlib import import_module


def print_error(message: object) -> None:
    """Print why a command did not do what it was asked; in red where standard error is a terminal."""
    styled_output = import_module("gateway.cli.styled_output")  # most runs need no terminal library
    styled_output.StyledOutput.for_stream(sys.stderr, os.environ).print_line(str(message), "fault")


def print_result(words: str, status: int) -> int:
    """Print how a command ended, on standard error unless its exit status is 0; return the status."""
    if status:
        print_error(words)
    else:
        print(words, flush=True)
    return status
