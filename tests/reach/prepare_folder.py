"""Prepare the folder of `make reach`: a Debian tree with Asterisk and a GSM core, a Python with a SIP phone.

Run as root: python -m tests.reach.prepare_folder FOLDER   (needs debootstrap; about two minutes, once)
"""

import os
import subprocess
import sys
from pathlib import Path

MIRROR, SUITE = "http://deb.debian.org/debian", "sid"
"""Debian 12 and 13 have no Asterisk package; sid's is 22, a release with long-term support."""
PACKAGES = ("asterisk", "osmo-msc", "osmo-stp")
PROGRAMS = ("sbin/asterisk", "bin/osmo-msc", "bin/osmo-stp")
PHONE_PACKAGES = ("pjsua2-python", "numpy")
RANDOM_DEVICE = (1, 9)


def main(folder: Path) -> int:
    """Make what is missing; return 1 where it cannot be made, and say why."""
    if os.geteuid() != 0:
        sys.stderr.write("make reach needs root: it makes a Debian tree and runs Asterisk in it\n")
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    try:
        prepare_tree(folder / "root")
        prepare_phone(folder / "phone")
    except (OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"make reach: cannot prepare {folder}: {error}\n")
        return 1
    return 0


def prepare_tree(root: Path) -> None:
    """Install Asterisk and the core into a tree of its own; nothing of it is started."""
    if all((root / "usr" / each).exists() for each in PROGRAMS):
        return
    if not (root / "etc" / "debian_version").exists():
        subprocess.run(["debootstrap", "--variant=minbase", SUITE, str(root), MIRROR], check=True)
    policy = root / "usr" / "sbin" / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *PACKAGES]
    subprocess.run(["chroot", str(root), "env", "DEBIAN_FRONTEND=noninteractive", *install], check=True)
    device = root / "dev" / "urandom"
    if not device.exists():
        os.mknod(device, 0o020444, os.makedev(*RANDOM_DEVICE))


def prepare_phone(environment: Path) -> None:
    """Install the SIP phone, which the gateway's own environment does not need."""
    if (environment / ".installed").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    subprocess.run([str(environment / "bin" / "pip"), "install", "-q", *PHONE_PACKAGES], check=True)
    (environment / ".installed").touch()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
