"""Example settings of every provider: beside its recorded exchanges, or in its description."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from gateway.providers._aggregators.described_provider import DescribedProvider
from gateway.providers.registry import discover_providers

WIRE_FOLDER = Path(__file__).parents[1] / "wires"


def described_providers() -> Mapping[str, DescribedProvider]:
    """Return the providers that are descriptions; these carry samples instead of recorded exchanges."""
    return {name: each for name, each in discover_providers().items() if isinstance(each, DescribedProvider)}


def example_settings() -> Mapping[str, Mapping[str, object]]:
    """Return the example settings by provider."""
    files = sorted(WIRE_FOLDER.glob("*/settings.toml"))
    written = {path.parent.name: tomllib.loads(path.read_text(encoding="utf-8")) for path in files}
    return {**written, **{name: each.example_settings() for name, each in described_providers().items()}}
