"""Login account: who runs a command, as the kernel recorded it at the login."""

import os
import pwd
from pathlib import Path

LOGIN_FILE = Path("/proc/self/loginuid")
"""User id of the login (Linux, pam_loginuid): `sudo` and `su` do not change it, nor can the user."""
NO_LOGIN = 2**32 - 1
"""What the file holds for a process that no login started: a service, a container."""


def read_login_account(login_file: Path = LOGIN_FILE) -> str:
    """Return the account that signed in, through `sudo` too; else the one the process runs as."""
    try:
        uid = int(login_file.read_text())
    except (OSError, ValueError):
        uid = NO_LOGIN
    uid = os.getuid() if uid == NO_LOGIN else uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # a container may run as a number without a name
        return f"uid-{uid}"
