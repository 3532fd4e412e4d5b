"""Discovery: the providers are the modules found in this package."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import MappingProxyType, ModuleType
from typing import cast

from gateway.providers.contract import Provider

OWED = ("NAME", "Settings", "ROUTES", "authentic", "connect_sender")


def discover() -> Mapping[str, Provider]:
    """Every provider here, by name. Found is not enabled: settings decide.

    Modules that begin with an underscore belong to the provider beside them.
    Raises TypeError, naming module and constant, when one owes something.
    """
    names = [found.name for found in iter_modules([str(Path(__file__).parent)])]
    modules = [f"{__package__}.{name}" for name in names if not _is_private(name)]
    providers = [checked(import_module(module)) for module in modules]
    return MappingProxyType({provider.NAME: provider for provider in providers})


def _is_private(name: str) -> bool:
    """Tell modules that are no providers: the interface, this one, and parts of a provider."""
    return name in ("contract", "discovery") or name.startswith("_")


def checked(module: ModuleType) -> Provider:
    """The module as a provider; TypeError when it lacks a constant or is named otherwise."""
    missing = [name for name in OWED if not hasattr(module, name)]
    if missing:
        raise TypeError(f"provider module {module.__name__} must define {', '.join(missing)}")
    name: str = module.__name__.rpartition(".")[2]
    if name != module.NAME:
        raise TypeError(f"provider module {module.__name__} must be called like its NAME, {module.NAME!r}")
    return cast(Provider, module)
