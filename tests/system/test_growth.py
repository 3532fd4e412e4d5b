"""Growth benchmark: every series is measured, and written as figures and as a plot."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.growth import GrowthPoint, measure_growth, parse_sizes, write_results

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.postgres
def test_every_series_has_a_cost_at_each_size() -> None:
    sizes = {"sessions": [10, 20], "packs": [1], "outbox": [500, 600], "audit": [3, 5]}
    points = measure_growth(sizes)
    assert [(each.series, each.size) for each in points] == [
        (name, size) for name in ("sessions", "packs", "outbox", "audit") for size in sizes[name]
    ]
    assert all(each.cost > 0 for each in points)


def test_figures_and_plot_are_named_by_the_release(tmp_path: Path) -> None:
    points = [GrowthPoint("packs", size, size / 10, "s") for size in (5, 50)]
    points.append(GrowthPoint("audit <all>", 7, 1.0, "us & more"))
    figures, plot = write_results(points, tmp_path / "results", "1.2")
    assert (figures.name, plot.name) == ("growth-1.2.json", "growth-1.2.svg")
    assert json.loads(figures.read_text())["points"][1] == {
        "series": "packs",
        "size": 50,
        "cost": 5.0,
        "unit": "s",
    }
    drawn = ElementTree.fromstring(plot.read_text())
    assert len(drawn.findall(f"{SVG}circle")) == 3 and len(drawn.findall(f"{SVG}polyline")) == 2


def test_sizes_are_read_in_ascending_order() -> None:
    assert parse_sizes("1000,5") == [5, 1000] and parse_sizes("") == []
