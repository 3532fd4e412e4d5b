"""A Prometheus of its own, from Debian's package, and its HTTP API."""

import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientSession

from tests.staging.drill_scale import SCRAPE_FILE
from tests.support.server_processes import ServerProcess, find_program


class PrometheusServer(ServerProcess):
    """A Prometheus with the scrape config that lies in its folder."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command_line(self) -> list[str]:
        places = [f"--config.file={self.folder / SCRAPE_FILE}", f"--storage.tsdb.path={self.folder / 'data'}"]
        listener = f"--web.listen-address=127.0.0.1:{self.port}"
        return [find_program("prometheus"), *places, listener, "--log.level=warn"]

    def is_ready(self, pid: int) -> bool:
        return answers_ok(f"{self.url}/-/ready")


def answers_ok(url: str) -> bool:
    """Return whether a URL of this machine answers with 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class PrometheusClient:
    """Asks a Prometheus (prometheus.io, HTTP API)."""

    session: ClientSession
    url: str

    async def query_value(self, query: str) -> float | None:
        """Return the largest value of a query now; None when it has no sample."""
        found = await self._get("query", query=query)
        values = [float(sample["value"][1]) for sample in found["result"]]
        return max(values, default=None)

    async def alert_states(self) -> Mapping[str, str]:
        """Return `pending` or `firing` of each alert that is not inactive, by name."""
        states: dict[str, str] = {}
        for alert in (await self._get("alerts"))["alerts"]:
            name, state = alert["labels"]["alertname"], alert["state"]
            states[name] = "firing" if "firing" in (state, states.get(name)) else state
        return states

    async def target_health(self) -> Sequence[str]:
        """Return `up`, `down` or `unknown` of each target."""
        return [each["health"] for each in (await self._get("targets"))["activeTargets"]]

    async def _get(self, name: str, **query: str) -> Any:
        async with self.session.get(f"{self.url}/api/v1/{name}", params=query) as answer:
            body = await answer.json()
            if body["status"] != "success":
                raise RuntimeError(f"Prometheus: {body.get('error', answer.status)}")
            return body["data"]
