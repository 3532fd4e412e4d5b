"""Discovery of the flows: every module here with an ACTIONS table, and the screens beside it."""

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

FOLDER = Path(__file__).parent
"""Where the flows' screens lie, one YAML file a flow."""


def discover() -> Mapping[str, object]:
    """Every action by name (values are `flows.domain.actions.Action`); a name defined twice is an error."""
    found: dict[str, object] = {}
    for module in pkgutil.iter_modules([str(FOLDER)]):
        if module.name == Path(__file__).stem:
            continue
        table = getattr(import_module(f"{__package__}.{module.name}"), "ACTIONS", {})
        twice = found.keys() & table.keys()
        if twice:
            raise ValueError(f"flows/selfcare/{module.name}.py names again: {', '.join(sorted(twice))}")
        found.update(table)
    return found
