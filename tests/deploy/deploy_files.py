"""The files in `deploy/`, `Dockerfile` and `compose.yaml`, parsed."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.support.installed_programs import find_or_skip

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def manifests() -> Iterator[dict[str, Any]]:
    """Yield every object of the Kubernetes manifests."""
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text())


def workloads() -> dict[str, dict[str, Any]]:
    """Return the deployments by their role."""
    return {
        each["spec"]["template"]["metadata"]["labels"]["role"]: each
        for each in manifests()
        if each["kind"] == "Deployment"
    }


def dockerfile_lines() -> list[tuple[str, str]]:
    """Return the image's instructions with their arguments, continued lines joined."""
    text = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(name, rest.strip()) for name, _, rest in (line.strip().partition(" ") for line in lines)]


def run_program(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program; skip the test, loudly, where it is not installed."""
    return subprocess.run(
        [find_or_skip(program), *arguments], capture_output=True, text=True, check=False, timeout=60
    )
