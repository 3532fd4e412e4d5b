"""Flow discovery: collects the `ACTIONS` tables of the modules in this folder."""

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

FLOWS_FOLDER = Path(__file__).parent
"""Folder of the flows' screens, one YAML file per flow."""


@cache
def discover_actions() -> Mapping[str, object]:
    """Return every action by name (values are `flows.domain.actions.Action`).

    ValueError when two modules define the same name.
    """
    actions: dict[str, object] = {}
    for module in pkgutil.iter_modules([str(FLOWS_FOLDER)]):
        if module.name == Path(__file__).stem:
            continue
        table = getattr(import_module(f"{__package__}.{module.name}"), "ACTIONS", {})
        duplicates = actions.keys() & table.keys()
        if duplicates:
            names = ", ".join(sorted(duplicates))
            raise ValueError(f"flows/selfcare/{module.name}.py defines actions that exist already: {names}")
        actions.update(table)
    return MappingProxyType(actions)
