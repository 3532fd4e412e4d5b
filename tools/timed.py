"""Durations of the parts of `make test`: run one part and print how long it took.

    python -m tools.timed NAME COMMAND...

The environment variable DURATIONS may name a file to which a line is added, for `.ci/run`.
"""

import os
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    """Run the command and end with its status."""
    name, *command = sys.argv[1:]
    began = time.monotonic()
    status = subprocess.run(command, check=False).returncode
    line = f"{name:16}{time.monotonic() - began:7.1f} s{'' if status == 0 else '  FAILED'}"
    print(f"== {line}", flush=True)
    if os.environ.get("DURATIONS"):
        with Path(os.environ["DURATIONS"]).open("a") as file:
            file.write(f"{line}\n")
    sys.exit(status)


if __name__ == "__main__":
    main()
