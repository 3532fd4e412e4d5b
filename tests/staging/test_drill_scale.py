"""Scaled alert rules and scrape config: accepted by promtool, shorter by one factor, otherwise the same."""

from pathlib import Path

import pytest
import yaml

from tests.deploy.deploy_files import ALERTS, DEPLOY, run_program
from tests.staging.drill_scale import RULES_FILE, DrillScale, parse_duration

SOURCE = DEPLOY / "prometheus"
TARGETS = {"serve": ["127.0.0.1:1", "127.0.0.1:2"], "worker": ["127.0.0.1:3"]}


def test_five_minutes_leave_every_wait_as_it_is() -> None:
    assert DrillScale().scale_rules(ALERTS.read_text()) == yaml.safe_load(ALERTS.read_text())
    scraping = DrillScale().scale_scraping((SOURCE / "prometheus.yml").read_text(), TARGETS)
    assert scraping["global"] == {"scrape_interval": "15s", "evaluation_interval": "15s"}


def test_a_shorter_outage_shortens_each_wait_by_the_factor_and_no_expression() -> None:
    (before,) = yaml.safe_load(ALERTS.read_text())["groups"]
    (after,) = DrillScale(10).scale_rules(ALERTS.read_text())["groups"]
    for old, new in zip(before["rules"], after["rules"], strict=True):
        assert parse_duration(new["for"]) == pytest.approx(parse_duration(old["for"]) / 30)
        assert old | {"for": ""} == new | {"for": ""}


def test_scrapes_are_never_closer_than_a_second_and_ask_each_role() -> None:
    scraping = DrillScale(10).scale_scraping((SOURCE / "prometheus.yml").read_text(), TARGETS)
    assert scraping["global"] == {"scrape_interval": "1000ms", "evaluation_interval": "1000ms"}
    (job,) = scraping["scrape_configs"]
    assert {each["labels"]["role"]: each["targets"] for each in job["static_configs"]} == TARGETS


def test_promtool_accepts_the_scaled_files(tmp_path: Path) -> None:
    config = DrillScale(10).write_files(SOURCE, tmp_path, TARGETS)
    assert (tmp_path / RULES_FILE).exists()
    done = run_program("promtool", "check", "config", str(config))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("text", "seconds"), [("0m", 0), ("90s", 90), ("1h30m", 5400), ("250ms", 0.25)])
def test_durations_are_read_as_prometheus_reads_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m", "1.5m", "5 m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)
