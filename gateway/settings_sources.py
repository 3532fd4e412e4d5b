"""Settings sources: the TOML file and the environment as unchecked tables, merged."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from menus.model.user_error import UserError

ENV_PREFIX = "DIALTREE_"
ENV_DELIMITER = "__"
PLATFORM_VARIABLES = {"DATABASE_URL": "database_url", "REDIS_URL": "redis_url", "PORT": "port"}
"""Environment variables with their platform-wide names."""
FILE_VARIABLE = "DIALTREE_CONFIG"
"""Environment variable that names the settings file."""


def _check_packs_folder(folder: str) -> str:
    """Refuse a folder without packs: with a wrong name the shipped packs would be served instead."""
    if folder and not any(Path(folder).glob("*/pack.yaml")):
        raise ValueError(f"no pack in {folder!r}; name a folder that holds folders with a pack.yaml")
    return folder


PacksFolder = Annotated[str, AfterValidator(_check_packs_folder)]
"""A folder of packs; empty for none."""


class SettingsError(UserError):
    """The settings cannot be used; the message names the field and never a value."""


class EnvironmentTables(PydanticBaseSettingsSource):
    """`DIALTREE_SECTION__FIELD` as nested tables; the hyphens of operators are underscores there."""

    def __init__(self, settings_cls: type[BaseSettings], environ: Mapping[str, str]) -> None:
        super().__init__(settings_cls)
        self._environ = environ

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return no value: the tables have no declared fields."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the tables; an empty platform variable counts as absent."""
        tables: dict[str, Any] = {
            field: self._environ[name] for name, field in PLATFORM_VARIABLES.items() if self._environ.get(name)
        }
        for name in sorted(self._environ):
            if name.startswith(ENV_PREFIX) and name != FILE_VARIABLE:
                tables = merge_tables(tables, _nest_value(_split_name(name), self._environ[name]))
        return tables


def read_tables(path: Path, environ: Mapping[str, str], base: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base`, overridden by the file, overridden by the environment; SettingsError if it is not TOML."""

    class SettingsTables(BaseSettings):
        model_config = SettingsConfigDict(extra="allow")

        @classmethod
        def settings_customise_sources(  # type: ignore[override]
            cls, settings_cls: type[BaseSettings], **_: PydanticBaseSettingsSource
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            file = TomlConfigSettingsSource(settings_cls, path)
            return (
                EnvironmentTables(settings_cls, environ),
                file,
                InitSettingsSource(settings_cls, dict(base)),
            )

    try:
        return dict(SettingsTables().model_extra or {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML: {error}") from error


def merge_tables(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """Return `high` over `low`, merged table by table."""
    both = {**low, **high}
    tables = [
        key for key in low.keys() & high.keys() if isinstance(low[key], dict) and isinstance(high[key], dict)
    ]
    return {**both, **{key: merge_tables(low[key], high[key]) for key in tables}}


def variable_name(path: Sequence[str]) -> str:
    """Return the environment variable that sets a field: the platform's name, or DIALTREE_SECTION__FIELD."""
    platform = {field: variable for variable, field in PLATFORM_VARIABLES.items()}
    named = ENV_DELIMITER.join(path).replace("-", "_").upper()
    return platform.get(".".join(path), f"{ENV_PREFIX}{named}")


def _split_name(name: str) -> list[str]:
    path = name.removeprefix(ENV_PREFIX).lower().split(ENV_DELIMITER)
    if path[0] == "operators" and len(path) > 1:
        path[1] = path[1].replace("_", "-")
    return path


def _nest_value(path: list[str], value: str) -> dict[str, Any]:
    head, *rest = path
    return {head: _nest_value(rest, value) if rest else value}
