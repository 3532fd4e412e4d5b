"""Alerts: valid, tested, each with a runbook, over metrics that exist; the dashboard likewise."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.deploy_files import ALERTS, DEPLOY, ROOT, read_yaml, run_program
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes

RULES = read_yaml(ALERTS)["groups"][0]["rules"]
METRIC = re.compile(r"\bdialtree_\w+")
SUFFIXES = re.compile(r"_(total|bucket|sum|count)$")
SOURCES = sorted((ROOT / "gateway").rglob("*.py"))


def known_metrics() -> set[str]:
    """Return the names of metrics the gateway's modules define, without Prometheus's suffixes."""
    text = "\n".join(path.read_text() for path in SOURCES)
    names = set(re.findall(r'"(dialtree_[a-z_]+)"', text))
    return (
        {SUFFIXES.sub("", name) for name in names}
        | {f"{name}s" for name in names}
        | {f"{name}_seconds" for name in names}
    )


def unknown_metrics(expression: str) -> Iterator[str]:
    known = known_metrics()
    return (name for name in METRIC.findall(expression) if SUFFIXES.sub("", name) not in known)


def anchors(page: Path) -> set[str]:
    return set(re.findall(r"^## ([\w-]+)$", page.read_text(), re.MULTILINE))


def test_promtool_accepts_the_alerts() -> None:
    done = run_program("promtool", "check", "rules", str(ALERTS))
    assert done.returncode == 0, done.stderr
    done = run_program(
        "promtool", "check", "config", "--syntax-only", str(DEPLOY / "prometheus" / "prometheus.yml")
    )
    assert done.returncode == 0, done.stderr


def test_the_alerts_fire_when_they_should_and_only_then() -> None:
    done = run_program("promtool", "test", "rules", str(DEPLOY / "prometheus" / "alerts.test.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_test_in_which_it_fires() -> None:
    cases = yaml.safe_load((DEPLOY / "prometheus" / "alerts.test.yml").read_text())["tests"]
    fired = {test["alertname"] for case in cases for test in case["alert_rule_test"] if test.get("exp_alerts")}
    assert fired == {rule["alert"] for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_has_a_runbook_and_a_metric_that_exists(rule: dict[str, Any]) -> None:
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor in anchors(ROOT / page)
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert not list(unknown_metrics(rule["expr"]))


def test_every_runbook_is_for_an_alert() -> None:
    named = {rule["annotations"]["runbook"].partition("#")[2] for rule in RULES}
    assert anchors(ROOT / "docs" / "runbooks.md") == named


def test_the_dashboard_shows_metrics_that_exist() -> None:
    panels = json.loads((ROOT / "docs" / "grafana.json").read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    assert expressions and not [name for text in expressions for name in unknown_metrics(text)]


async def test_a_process_exports_what_the_alerts_of_messages_and_sessions_ask_for(
    sandboxes: SandboxFactory,
) -> None:
    async with sandboxes.open() as sandbox:
        await sandbox.direct_line().dial("+40740000101", "*100#")
        await sandbox.container.metrics.refresh_gauges(sandbox.container.database, sandbox.clock())
        exposition = sandbox.container.metrics_registry.render_exposition().decode()
    for name in (
        "dialtree_outbox_age_seconds",
        'dialtree_circuit_breaker_open{operator="orange-ro"',
        'dialtree_turn_seconds_bucket{channel="ussd",le="2.5",operator="orange-ro"}',
        "dialtree_sessions_shed_total",
        'dialtree_limit_shed_total{limit="passwords"}',
    ):
        assert name in exposition, name
