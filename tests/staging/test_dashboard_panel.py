"""Red thresholds of the dashboard: each is the one of an alert on the same query."""

import json
from pathlib import Path

import pytest

from tests.deploy.deploy_files import ALERTS, read_yaml
from tests.staging.dashboard_panel import ThresholdPanel, find_panel, read_panels
from tests.staging.outage_drill import PANEL

EXPRESSIONS = {rule["expr"] for rule in read_yaml(ALERTS)["groups"][0]["rules"]}


@pytest.mark.parametrize("panel", [*read_panels()], ids=lambda panel: panel.title)
def test_a_panel_turns_red_where_an_alert_on_its_query_does(panel: ThresholdPanel) -> None:
    wanted = {f"{panel.query} > {panel.red_from}", f"{panel.query} == {panel.red_from}"}
    by_instance = {text.replace("max(", "max by (instance) (", 1) for text in wanted}
    assert (wanted | by_instance) & EXPRESSIONS


def test_the_panel_of_the_drill_is_red_at_one_open_circuit() -> None:
    panel = find_panel(PANEL)
    assert "dialtree_circuit_breaker_open" in panel.query
    assert panel.is_red(1) and not panel.is_red(0)


def test_a_panel_without_a_red_threshold_cannot_be_asked_for(tmp_path: Path) -> None:
    page = tmp_path / "board.json"
    page.write_text(json.dumps({"panels": [{"title": "Turns", "targets": [{"expr": "1"}]}]}))
    with pytest.raises(LookupError, match=r"board\.json has no panel 'Turns' with a red threshold"):
        find_panel("Turns", page)
