"""An SMSC on node-smpp, an independent implementation of SMPP 3.4, as a child process."""

import json
import urllib.request
from pathlib import Path
from typing import Any

from tests.support.free_ports import free_port
from tests.support.node_packages import PINS, find_node_packages
from tests.support.server_processes import ServerProcess, find_program


class NodeSmsc(ServerProcess):
    """Takes binds as dialtree / secret; answers submits by the last two digits of their destination."""

    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__(folder, *options)
        self.port = free_port(1)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port + 1}/"

    def command_line(self) -> list[str]:
        modules = find_node_packages()
        script = str(PINS / "smsc.js")
        return ["env", f"NODE_PATH={modules}", find_program("node"), script, str(self.port), str(self.port + 1)]

    def is_ready(self, pid: int) -> bool:
        try:
            self.command(do="seen")
        except OSError:
            return False
        return True

    def command(self, **asked: Any) -> Any:
        """Tell the SMSC to do something and return its answer."""
        request = urllib.request.Request(self.url, json.dumps(asked).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())
