"""JSON Schema of the files of a pack, for editors."""

from typing import Any

from pydantic import BaseModel

from menus.packfile.language_file import LanguageFile
from menus.packfile.schema import KeywordsFile, PackFile, ScreensFile


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of each pack file, for editors."""
    files: dict[str, type[BaseModel]] = {
        "pack": PackFile,
        "screens": ScreensFile,
        "keywords": KeywordsFile,
        "languages": LanguageFile,
    }
    return {name: form.model_json_schema(by_alias=True) for name, form in files.items()}
