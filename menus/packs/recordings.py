"""Recorded voice prompts of a pack: audio files by language and text name."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from menus.machine.menu import LanguagePack
from menus.packfile import messages
from menus.packfile.yaml_source import Finding, PackError

PromptFiles = Mapping[tuple[str, str], str]
"""File below `prompts/` by (language, text name)."""
AUDIO_SUFFIXES = (".wav", ".mp3")


def find_prompt_files(folder: Path, language_packs: Mapping[str, LanguagePack]) -> PromptFiles:
    """Find the files `prompts/LANGUAGE/TEXT.wav` or `.mp3`; PackError for one that no text would play."""
    files = dict(_list_files(folder))
    findings = [
        Finding(f"{folder.name}/prompts/{file}", 1, 1, reason)
        for (language, name), file in files.items()
        if (reason := _why_unused(language_packs.get(language), language, name))
    ]
    if findings:
        raise PackError(findings)
    return files


def _list_files(folder: Path) -> Iterator[tuple[tuple[str, str], str]]:
    for path in sorted((folder / "prompts").glob("*/*")):
        if path.suffix in AUDIO_SUFFIXES:
            yield (path.parent.name, path.stem), f"{path.parent.name}/{path.name}"


def _why_unused(language_pack: LanguagePack | None, language: str, name: str) -> str:
    """Return why a recording would never be played; empty when it would."""
    if language_pack is None:
        return messages.RECORDING_LANGUAGE_UNKNOWN.format(language=language)
    if name not in language_pack.catalogue:
        return messages.RECORDING_TEXT_UNKNOWN.format(name=name)
    if language_pack.catalogue.template_for(name, "voice").slots:
        return messages.RECORDING_HAS_SLOTS.format(name=name)
    return ""
