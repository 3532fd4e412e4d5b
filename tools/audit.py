"""Audit: look up the known vulnerabilities of what the lock pins (`make audit`).

Ends with 1 when there are some. Ends with 0, and says so, when no database can be asked.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements.lock"
SERVICES = ("pypi", "osv")
"""The databases pip-audit can ask, by its names for them, in this order."""


def query(service: str) -> Sequence[dict[str, Any]]:
    """Return what a database knows about each pin; nothing when it does not answer."""
    options = ["--require-hashes", "--disable-pip", "--format", "json", "--progress-spinner", "off"]
    command = [sys.executable, "-m", "pip_audit", *options, "-s", service, "-r", str(LOCK)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages: Sequence[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        return []
    return [package for package in packages if "skip_reason" not in package]


def report(packages: Sequence[dict[str, Any]]) -> int:
    """Print the vulnerabilities; the status of the command."""
    found = [(package, hole) for package in packages for hole in package["vulns"]]
    for package, hole in found:
        fixed = ", ".join(hole["fix_versions"]) or "no release"
        print(f"{package['name']} {package['version']}: {hole['id']}, fixed in {fixed}")
    print(f"{len(packages)} packages audited, {len(found)} known vulnerabilities.")
    return int(bool(found))


def main() -> None:
    """Ask the databases in turn until one answers."""
    for service in SERVICES:
        packages = query(service)
        if packages:
            sys.exit(report(packages))
    print("NOT AUDITED: no vulnerability database can be reached from here.", file=sys.stderr)


if __name__ == "__main__":
    main()
