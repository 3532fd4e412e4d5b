"""A panel of the Grafana dashboard: its query, and the value from which it is red."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana.json"


@dataclass(frozen=True, slots=True)
class ThresholdPanel:
    """A panel with a red threshold."""

    title: str
    query: str
    """PromQL of its first target, the one the threshold is about."""
    red_from: float

    def is_red(self, value: float) -> bool:
        """Return whether the panel shows this value red."""
        return value >= self.red_from


def read_panels(path: Path = DASHBOARD) -> Iterator[ThresholdPanel]:
    """Yield the panels of a dashboard that have a red threshold."""
    for panel in json.loads(path.read_text())["panels"]:
        for step in threshold_steps(panel):
            if step["color"] == "red":
                yield ThresholdPanel(panel["title"], panel["targets"][0]["expr"], step["value"])


def threshold_steps(panel: dict[str, Any]) -> list[dict[str, Any]]:
    thresholds = panel.get("fieldConfig", {}).get("defaults", {}).get("thresholds", {})
    return list(thresholds.get("steps", ()))


def find_panel(title: str, path: Path = DASHBOARD) -> ThresholdPanel:
    """Return the panel with this title; LookupError when none has it and a red threshold."""
    for panel in read_panels(path):
        if panel.title == title:
            return panel
    raise LookupError(f"{path.name} has no panel {title!r} with a red threshold")
