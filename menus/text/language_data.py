"""Language data: what a language needs besides texts, one YAML file each; a pack may add to it."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from menus.packfile.language_file import LanguageFile
from menus.packfile.yaml_source import SourceFile, read_yaml

LANGUAGES_FOLDER = Path(__file__).parents[1] / "languages"


@cache
def load_language(language: str) -> LanguageFile:
    """Return the shared data of a language; the defaults for one without a file."""
    return merge_language_files(language_sources(language))


def language_sources(language: str, pack_folder: Path | None = None) -> list[SourceFile]:
    """Read a language's shared file and the pack's own `languages/LANGUAGE.yaml`, those that exist."""
    files = {f"languages/{language}.yaml": LANGUAGES_FOLDER / f"{language}.yaml"}
    if pack_folder:
        files[f"{pack_folder.name}/languages/{language}.yaml"] = pack_folder / "languages" / f"{language}.yaml"
    return [read_yaml(path, name) for name, path in files.items() if path.is_file()]


def merge_language_files(sources: list[SourceFile]) -> LanguageFile:
    """Merge language files: later fields replace earlier ones, later folds add to them.

    Raises pydantic's ValidationError when a file does not match the schema.
    """
    merged: dict[str, object] = {}
    for source in sources:
        LanguageFile.model_validate(source.value)
        values = source.value if isinstance(source.value, dict) else {}
        folds = {**_mapping(merged.get("folds")), **_mapping(values.get("folds"))}
        merged |= {**values, "folds": folds}
    return LanguageFile.model_validate(merged)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
