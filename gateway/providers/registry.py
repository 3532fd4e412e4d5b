"""Plugin discovery: every public module of this package is a provider, and every description of one."""

import os
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import MappingProxyType, ModuleType
from typing import cast

from gateway.providers._aggregators.description_loader import AGGREGATORS_FOLDER, load_folder
from gateway.providers.contract import LinkProvider, Provider

FOLDER_VARIABLE = "DIALTREE_PROVIDERS"
"""Environment variable with a folder of further descriptions, `NAME.yaml` each."""
REQUIRED_NAMES = ("NAME", "Settings", "ROUTES", "authentic")
"""What a provider module must define; one that sends messages defines `connect_sender` besides."""
REQUIRED_LINK_NAMES = ("NAME", "Settings", "ROUTES", "PROVEN_CHANNELS")
"""What a provider module with `connect_link` must define."""


def discover_providers() -> Mapping[str, Provider]:
    """Return every provider by name; which ones are enabled is a matter of the settings.

    Modules that begin with an underscore belong to the provider beside them. Raises TypeError, naming module
    and constant, when a module lacks one.
    """
    described = {
        name: cast(Provider, each)
        for folder in description_folders()
        for name, each in load_folder(folder).items()
    }
    return MappingProxyType(described | _import_providers())


@cache
def _import_providers() -> dict[str, Provider]:
    """Import the providers written in Python, once in a process."""
    names = [module_info.name for module_info in iter_modules([str(Path(__file__).parent)])]
    modules = [import_module(f"{__package__}.{name}") for name in names if not _is_private(name)]
    return {provider.NAME: provider for provider in map(check_provider, modules)}


def link_providers() -> Mapping[str, LinkProvider]:
    """Return the providers that keep a connection to a network, by name."""
    return {
        name: cast(LinkProvider, each)
        for name, each in discover_providers().items()
        if hasattr(each, "connect_link")
    }


def description_folders() -> list[Path]:
    """Return the folders with descriptions of providers: the shipped one, and that of `DIALTREE_PROVIDERS`."""
    own = os.environ.get(FOLDER_VARIABLE, "")
    return [AGGREGATORS_FOLDER, *([Path(own)] if own else [])]


def _is_private(name: str) -> bool:
    """Return whether the module is no provider: the interface, this module, or a part of a provider."""
    return name in ("contract", "registry") or name.startswith("_")


def check_provider(module: ModuleType) -> Provider:
    """Return the module as a provider; TypeError when it lacks a constant or NAME is not its file name."""
    required = REQUIRED_LINK_NAMES if hasattr(module, "connect_link") else REQUIRED_NAMES
    missing = [name for name in required if not hasattr(module, name)]
    if missing:
        raise TypeError(f"provider module {module.__name__} must define {', '.join(missing)}")
    name: str = module.__name__.rpartition(".")[2]
    if name != module.NAME:
        raise TypeError(f"provider module {module.__name__} must be called like its NAME, {module.NAME!r}")
    return cast(Provider, module)
