"""Debian packages of the programs that tests run: `python -m tests.support.debian_packages` installs them."""

import os
import shutil
import subprocess
import sys

from tests.support.server_processes import ProgramMissing, find_program

DEBIAN_PACKAGES = {
    **{"redis-server": "redis-server", "postgres": "postgresql", "chromium": "chromium"},
    **{"nginx": "nginx-light", "pgbouncer": "pgbouncer", "node": "nodejs", "npm": "npm"},
    **dict.fromkeys(("prometheus", "promtool"), "prometheus"),
    **{"systemd-analyze": "systemd", "espeak-ng": "espeak-ng", "osmo-hlr": "osmo-hlr", "sox": "sox"},
}


def missing_packages() -> list[str]:
    """Return the Debian packages whose programs are not installed."""
    absent = []
    for program, package in DEBIAN_PACKAGES.items():
        try:
            find_program(program)
        except ProgramMissing:
            absent.append(package)
    return absent


def install_missing() -> int:
    """Install missing packages if allowed; what stays missing is an error (status 1) only in CI."""
    absent = missing_packages()
    if absent and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-q"], env=quiet, check=False)
        subprocess.run(["apt-get", "install", "-qy", *absent], env=quiet, check=False)
    still = missing_packages()
    if still:
        sys.stderr.write(f"LEFT OUT: {', '.join(still)} could not be installed; tests that need it skip.\n")
    return int(bool(still) and os.environ.get("CI") == "true")


if __name__ == "__main__":
    sys.exit(install_missing())
