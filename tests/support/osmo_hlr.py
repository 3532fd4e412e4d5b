"""A real osmo-hlr (Debian package `osmo-hlr`) as a child process, with an address of loopback of its own."""

import os
import random
import socket
from pathlib import Path

from tests.support.server_processes import ServerProcess, find_program

GSUP_PORT, CONSOLE_PORT = 4222, 4258
"""Fixed in osmo-hlr: servers differ by their address."""
ENTITY = "dialtree-00-00-00-00-00-00"
ANA_IMSI, ANA = "901990000000001", "+40740000101"
NUMBERLESS_IMSI, STRANGER_IMSI = "901990000000008", "901990000000009"
CONFIGURATION = """\
log stderr
 logging filter all 1
 logging level set-all info
line vty
 no login
 bind {address}
ctrl
 bind {address}
hlr
 gsup
  bind ip {address}
 euse {entity}
 ussd route prefix *100 external {entity}
 ncss-guard-timeout {guard}
"""


class OsmoHlr(ServerProcess):
    """An HLR that routes `*100` to our entity and knows Ana. One option: its guard timer, seconds."""

    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__(folder, *options)
        self.host = free_loopback_address()
        self.knows_subscribers = False

    def command_line(self) -> list[str]:
        program, config = find_program("osmo-hlr"), self.write_configuration()
        return [program, "-c", str(config), "-l", str(self.folder / "hlr.db")]

    def write_configuration(self) -> Path:
        """Write its configuration and return the file."""
        path = self.folder / "osmo-hlr.cfg"
        guard = (*self.options, "30")[0]
        path.write_text(CONFIGURATION.format(address=self.host, entity=ENTITY, guard=guard))
        return path

    def is_ready(self, pid: int) -> bool:
        try:
            self.type_commands("enable")
        except OSError:
            return False
        if not self.knows_subscribers:
            self.add_subscribers()
        return True

    def add_subscribers(self) -> None:
        """Add Ana, and a subscriber without a number; they stay over a restart."""
        created = [f"subscriber imsi {imsi} create" for imsi in (ANA_IMSI, NUMBERLESS_IMSI)]
        self.type_commands("enable", *created, f"subscriber imsi {ANA_IMSI} update msisdn {ANA[1:]}")
        self.knows_subscribers = True

    def type_commands(self, *commands: str) -> str:
        """Type commands into its console (VTY) and return what it prints."""
        with socket.create_connection((self.host, CONSOLE_PORT), timeout=10) as console:
            console.sendall("".join(f"{each}\r\n" for each in (*commands, "exit", "exit")).encode())
            printed = b""
            while piece := console.recv(65536):
                printed += piece
        return printed.decode(errors="replace")

    def read_log(self) -> str:
        """Return what it has logged so far."""
        return (self.folder / "server.log").read_text(errors="replace")

    def settings(self, **more: object) -> dict[str, object]:
        """Return the settings of a connection to it."""
        return {"host": self.host, "retry_seconds": 0.5, **more}


def free_loopback_address() -> str:
    """Return an address of 127.0.0.0/8 on which nothing has the ports of an HLR."""
    while True:
        low = os.getpid() % 250 + 2
        address = f"127.{random.randrange(2, 250)}.{random.randrange(2, 250)}.{low}"
        with socket.socket() as probe:
            try:
                probe.bind((address, GSUP_PORT))
            except OSError:
                continue
        return address
