"""A GSM core out of a Debian tree: signalling router and MSC, in front of an HLR of this machine."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.support.server_processes import wait_until

CONFIG = Path(__file__).parent / "gsm"
ROUTER_HOST, ROUTER_PORT, MSC_CONSOLE = "127.0.0.1", 2905, 4254
START_SECONDS = 30.0


@contextmanager
def run_core(root: Path, hlr_address: str) -> Iterator[None]:
    """Run osmo-stp and osmo-msc in a chroot of the tree during the block."""
    folder = root / "dialtree-gsm"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(CONFIG / "osmo-stp.cfg", folder)
    msc = (CONFIG / "osmo-msc.cfg").read_text().replace("HLR_ADDRESS", hlr_address)
    (folder / "osmo-msc.cfg").write_text(msc)
    library, source = folder / "without_sctp.so", CONFIG / "without_sctp.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    with run_program(root, "osmo-stp"):
        wait_until(lambda: is_open(ROUTER_PORT), START_SECONDS, "osmo-stp listens")
        with run_program(root, "osmo-msc", "LD_PRELOAD=/dialtree-gsm/without_sctp.so"):
            wait_until(lambda: is_open(MSC_CONSOLE), START_SECONDS, "osmo-msc runs")
            yield


@contextmanager
def run_program(root: Path, name: str, *environment: str) -> Iterator[None]:
    """Run one program of the core with its configuration; what it logs is kept beside it."""
    command = ["chroot", str(root), "env", *environment, f"/usr/bin/{name}"]
    command += ["-c", f"/dialtree-gsm/{name}.cfg"]
    with (root / "dialtree-gsm" / f"{name}.log").open("wb") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        child.terminate()
        child.wait()


def is_open(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex((ROUTER_HOST, port)) == 0
