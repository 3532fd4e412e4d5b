"""Example settings of every provider: `tests/wires/PROVIDER/settings.toml`, beside its recorded exchanges."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

WIRE_FOLDER = Path(__file__).parents[1] / "wires"


def example_settings() -> Mapping[str, Mapping[str, object]]:
    """Return the example settings by provider."""
    files = sorted(WIRE_FOLDER.glob("*/settings.toml"))
    return {path.parent.name: tomllib.loads(path.read_text(encoding="utf-8")) for path in files}
