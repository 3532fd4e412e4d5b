"""Image, compose, units and manifests name commands, ports, files and settings that exist."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from gateway.console.console_server import CONSOLE_OFFSET
from gateway.console_settings import ConsoleSettings
from gateway.server.internal_listener import LINK_OFFSET, SERVER_OFFSET, WORKER_OFFSET
from gateway.settings import Settings
from tests.deploy.deploy_files import (
    DEPLOY,
    ROOT,
    dockerfile_lines,
    manifests,
    read_yaml,
    run_program,
    workloads,
)

COMPOSE = read_yaml(ROOT / "compose.yaml")
OURS = {name: service for name, service in COMPOSE["services"].items() if service["image"] == "dialtree"}
SCRAPED_PORTS = {"serve": 8080 + SERVER_OFFSET, "worker": 8080 + WORKER_OFFSET, "link": 8080 + LINK_OFFSET}
PORTS = {**SCRAPED_PORTS, "console": 8080 + CONSOLE_OFFSET}
"""Port of the internal listener by role; Prometheus is not told of a console that few sites have."""
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
TURN_SECONDS = 10
"""What a turn under way may take at shutdown."""


def unit_command(unit: Path) -> list[str]:
    program, *words = shlex.split(re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)[0])
    assert program == "/opt/dialtree/bin/dialtree"
    return words


def all_commands() -> list[tuple[str, ...]]:
    """Return every command of ours that a file starts."""
    pods = [each["spec"]["template"]["spec"] for each in manifests() if each["kind"] in ("Deployment", "Job")]
    given = [
        *(service["command"] for service in OURS.values()),
        *(container["args"] for pod in pods for container in pod["containers"]),
        *(unit_command(unit) for unit in UNITS),
    ]
    return sorted({tuple(words) for words in given})


@pytest.mark.parametrize("words", all_commands(), ids=" ".join)
def test_every_command_that_is_started_exists(words: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, "-m", "gateway", *words, "--help"], capture_output=True, check=False)
    assert done.returncode == 0


def test_the_image_copies_what_exists_and_runs_as_an_ordinary_user() -> None:
    lines = dockerfile_lines()
    copied = [rest.split()[:-1] for name, rest in lines if name == "COPY" and "--from" not in rest]
    assert all((ROOT / place).exists() for places in copied for place in places)
    locks = re.findall(r"requirements/\w+\.lock", (ROOT / "Dockerfile").read_text())
    chosen = [rest.partition("=")[2] for name, rest in lines if name == "ARG" and rest.startswith("LOCK=")]
    assert all((ROOT / lock).exists() for lock in (*locks, *(f"requirements/{each}.lock" for each in chosen)))
    assert chosen == ["runtime"] and "requirements/${LOCK}.lock" in (ROOT / "Dockerfile").read_text()
    assert [rest for name, rest in lines if name == "USER"] == ["10001"]
    assert [rest for name, rest in lines if name == "FROM"][-1] == "${PYTHON_IMAGE}"


def test_the_image_installs_only_what_the_lock_has() -> None:
    installs = [
        step
        for name, rest in dockerfile_lines()
        if name == "RUN"
        for step in rest.split("&&")
        if re.search(r"/pip .*(install|wheel) ", step)
    ]
    pinned = ("--require-hashes", "--no-deps", "--no-index --find-links /wheels")
    assert len(installs) == 4 and all(any(option in each for option in pinned) for each in installs)


def test_what_the_image_copies_is_not_ignored() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        place.rstrip("/").split("/")[0]
        for name, rest in dockerfile_lines()
        if name == "COPY" and "--from" not in rest
        for place in rest.split()[:-1]
    }
    assert copied == kept


def test_compose_sets_settings_that_exist() -> None:
    known = {
        "DATABASE_URL",
        "REDIS_URL",
        "DIALTREE_CONFIG",
        *(f"DIALTREE_{name}".upper() for name in Settings.model_fields),
    }
    assert all(set(service["environment"]) <= known for service in OURS.values())


def test_the_example_environment_has_every_value_compose_asks_for_and_fills_none() -> None:
    asked = set(re.findall(r"\$\{(\w+):\?", (ROOT / "compose.yaml").read_text()))
    example = (DEPLOY / "compose.env.example").read_text()
    assert set(re.findall(r"^(\w+)=$", example, re.MULTILINE)) == asked
    assert not re.search(r"^\w+=.+", example, re.MULTILINE)


def test_compose_asks_each_role_at_its_own_port() -> None:
    for role in ("worker", "link", "console"):
        assert f":{PORTS[role]}/healthz" in str(OURS[role]["healthcheck"])
    assert f":{PORTS['serve']}/healthz" in (ROOT / "Dockerfile").read_text()
    targets = read_yaml(DEPLOY / "prometheus" / "prometheus.yml")["scrape_configs"][0]["static_configs"]
    assert {each["labels"]["role"]: each["targets"] for each in targets} == {
        role: [f"{role}:{port}"] for role, port in SCRAPED_PORTS.items()
    }


def test_compose_files_that_are_mounted_exist() -> None:
    mounts = [mount for service in COMPOSE["services"].values() for mount in service.get("volumes", ())]
    places = [mount.split(":")[0] for mount in mounts if mount.startswith("./")]
    assert places and all((ROOT / place).exists() for place in places)


@pytest.mark.parametrize("role", PORTS)
def test_a_pod_is_asked_at_its_port_and_may_finish_its_turns(role: str) -> None:
    pod = workloads()[role]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert ports["internal"] == PORTS[role]
    probes = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert {probe["port"] for probe in probes.values()} == {"internal"}
    assert probes["readinessProbe"]["path"] == "/readyz" and probes["livenessProbe"]["path"] == "/healthz"
    assert pod["terminationGracePeriodSeconds"] >= TURN_SECONDS + config_map()["red_seconds"]


def test_every_pod_is_confined() -> None:
    pods = [each["spec"]["template"]["spec"] for each in manifests() if each["kind"] in ("Deployment", "Job")]
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"]
            assert context["capabilities"] == {"drop": ["ALL"]} and container["resources"]["limits"]["memory"]


def test_selectors_and_targets_find_their_pods() -> None:
    labels = [each["spec"]["template"]["metadata"]["labels"] for each in workloads().values()]
    names = {each["metadata"]["name"] for each in workloads().values()}
    for each in manifests():
        spec = each.get("spec", {})
        selector = spec.get("selector") or spec.get("podSelector")
        if selector:
            wanted = selector.get("matchLabels", selector).items()
            assert any(wanted <= found.items() for found in labels), each["metadata"]["name"]
        if each["kind"] == "HorizontalPodAutoscaler":
            assert spec["scaleTargetRef"]["name"] in names


def test_every_manifest_is_listed() -> None:
    listed = read_yaml(DEPLOY / "kubernetes" / "kustomization.yaml")["resources"]
    files = {path.name for path in (DEPLOY / "kubernetes").glob("*.yaml")}
    assert {*listed, "kustomization.yaml"} == files


def config_map() -> dict[str, Any]:
    """Return the settings of the manifests."""
    data = next(each["data"] for each in manifests() if each["kind"] == "ConfigMap")
    return tomllib.loads(data["dialtree.toml"])


def test_the_settings_of_the_manifests_and_of_compose_exist() -> None:
    for settings in (config_map(), tomllib.loads((DEPLOY / "dialtree.toml").read_text())):
        assert set(settings) <= Settings.model_fields.keys()


def test_the_console_of_the_manifests_is_complete_and_reached_from_outside_its_pod() -> None:
    console = ConsoleSettings.model_validate(config_map()["console"])
    container = workloads()["console"]["spec"]["template"]["spec"]["containers"][0]
    assert console.openid and console.host == "0.0.0.0"
    assert {"name": "http", "containerPort": console.port} in container["ports"]
    assert OURS["console"]["ports"] == [f"127.0.0.1:{console.port}:{console.port}"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_accepts_the_unit_and_confines_it(unit: Path, tmp_path: Path) -> None:
    for each in UNITS:  # they name each other; the program is not installed here
        text = each.read_text().replace("/opt/dialtree/bin/dialtree", sys.executable)
        (tmp_path / each.name).write_text(text)
    verdict = run_program("systemd-analyze", "verify", str(tmp_path / unit.name))
    assert unit.name not in verdict.stderr, verdict.stderr
    rating = run_program(
        "systemd-analyze", "security", "--offline=true", "--threshold=45", str(tmp_path / unit.name)
    )
    assert rating.returncode == 0, rating.stdout[-300:]
