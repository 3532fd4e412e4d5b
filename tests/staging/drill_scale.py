"""Time scale of a drill: alert rules and scrape config with their waits shortened by one factor."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FULL_OUTAGE_SECONDS = 300.0
"""An outage of five minutes leaves every wait as it is in `deploy/prometheus`."""
UNIT_SECONDS: Mapping[str, float] = {
    "ms": 0.001,
    "s": 1,
    "m": 60,
    "h": 3600,
    "d": 86_400,
    "w": 604_800,
    "y": 31_536_000,
}
"""Units of durations in Prometheus's files (prometheus.io, Configuration)."""
DURATION_PART = re.compile(r"(\d+)(ms|[smhdwy])")
SHORTEST_INTERVAL_SECONDS = 1.0
"""Scrapes and evaluations are not closer: a scrape that takes longer than its interval counts as failed."""
RULES_FILE, SCRAPE_FILE = "alerts.yml", "prometheus.yml"


@dataclass(frozen=True, slots=True)
class DrillScale:
    """The factor of a drill whose outage lasts so long: 1 for five minutes."""

    outage_seconds: float = FULL_OUTAGE_SECONDS

    @property
    def factor(self) -> float:
        return self.outage_seconds / FULL_OUTAGE_SECONDS

    def scale_duration(self, duration: str, shortest_seconds: float = 0.0) -> str:
        """Return a duration times the factor, in whole milliseconds; unchanged at the factor 1."""
        if self.factor == 1:
            return duration
        seconds = max(parse_duration(duration) * self.factor, shortest_seconds)
        return f"{round(seconds * 1000)}ms"

    def scale_rules(self, text: str) -> dict[str, Any]:
        """Return a rule file with each alert's `for` scaled; expressions stay as they are."""
        rules: dict[str, Any] = yaml.safe_load(text)
        for group in rules["groups"]:
            for rule in group["rules"]:
                rule["for"] = self.scale_duration(rule["for"])
        return rules

    def scale_scraping(self, text: str, targets: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """Return a scrape config with its intervals scaled, that asks these targets of each role, no other."""
        config: dict[str, Any] = yaml.safe_load(text)
        times = config["global"]
        for name in interval_names(times):
            times[name] = self.scale_duration(times[name], SHORTEST_INTERVAL_SECONDS)
        (job,) = config["scrape_configs"]
        job["static_configs"] = [
            {"targets": [*addresses], "labels": {"role": role}} for role, addresses in targets.items()
        ]
        return config

    def write_files(self, source: Path, folder: Path, targets: Mapping[str, Sequence[str]]) -> Path:
        """Write both files of `source` scaled into a folder; return the path of the scrape config."""
        rules = self.scale_rules((source / RULES_FILE).read_text())
        scraping = self.scale_scraping((source / SCRAPE_FILE).read_text(), targets)
        (folder / RULES_FILE).write_text(yaml.safe_dump(rules))
        (folder / SCRAPE_FILE).write_text(yaml.safe_dump(scraping))
        return folder / SCRAPE_FILE


def interval_names(times: Mapping[str, str]) -> list[str]:
    """Return the names of the intervals in the section `global` of a scrape config."""
    return [name for name in times if name.endswith("_interval")]


def parse_duration(duration: str) -> float:
    """Return the seconds of a duration such as `1h30m`; ValueError for anything else."""
    if not re.fullmatch(rf"(?:{DURATION_PART.pattern})+", duration):
        raise ValueError(f"not a duration: {duration!r}")
    return sum(int(count) * UNIT_SECONDS[unit] for count, unit in DURATION_PART.findall(duration))
