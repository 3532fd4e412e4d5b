"""An identity provider on node-oidc-provider, certified for OpenID Connect, as a child process."""

import urllib.request
from pathlib import Path

from tests.support.login_provider import CLIENT_ID, CLIENT_SECRET
from tests.support.node_packages import PINS, find_node_packages
from tests.support.server_processes import ServerProcess, find_program


class NodeIdentityProvider(ServerProcess):
    """Signs in whoever types a name: elena is in the group `staff`, radu in none of the console's."""

    def __init__(self, folder: Path, console_url: str) -> None:
        super().__init__(folder, console_url)

    @property
    def url(self) -> str:
        """The issuer; another site than the console's 127.0.0.1."""
        return f"http://localhost:{self.port}"

    def command_line(self) -> list[str]:
        given = str(find_node_packages()), str(self.port), *self.options, CLIENT_ID, CLIENT_SECRET
        return [find_program("node"), str(PINS / "identity_provider.mjs"), *given]

    def is_ready(self, pid: int) -> bool:
        try:
            self._request("GET", "/.well-known/openid-configuration")
        except OSError:
            return False
        return True

    def rotate_keys(self) -> None:
        """Sign with a new key; the one before is withdrawn."""
        self._request("POST", "/rotate-keys")

    def _request(self, method: str, path: str) -> None:
        url = f"http://127.0.0.1:{self.port}{path}"
        asked = urllib.request.Request(url, method=method, headers={"Host": f"localhost:{self.port}"})
        with urllib.request.urlopen(asked, timeout=10):
            pass
