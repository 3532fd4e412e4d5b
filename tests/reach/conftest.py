"""Tests against real networks run by `make reach` only, which names the folder it has prepared."""

import os

FOLDER_VARIABLE = "REACH_FOLDER"
"""A folder with a Debian tree in `root` and the phone's Python in `phone`."""
collect_ignore_glob = [] if os.environ.get(FOLDER_VARIABLE) else ["test_*.py"]
