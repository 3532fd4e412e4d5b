"""Recorded voice prompts of a pack: audio files by language and text name."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from menus.machine.menu import Tongue
from menus.packfile import messages
from menus.packfile.yaml_source import Finding, PackError

Recordings = Mapping[tuple[str, str], str]
"""File below `prompts/` by (language, text name)."""
KINDS = (".wav", ".mp3")


def recordings(folder: Path, tongues: Mapping[str, Tongue]) -> Recordings:
    """Find the files `prompts/LANGUAGE/TEXT.wav` or `.mp3`; PackError for one that no text would play."""
    files = dict(_found(folder))
    findings = [
        Finding(f"{folder.name}/prompts/{file}", 1, 1, reason)
        for (language, name), file in files.items()
        if (reason := _unplayed(tongues.get(language), language, name))
    ]
    if findings:
        raise PackError(findings)
    return files


def _found(folder: Path) -> Iterator[tuple[tuple[str, str], str]]:
    for path in sorted((folder / "prompts").glob("*/*")):
        if path.suffix in KINDS:
            yield (path.parent.name, path.stem), f"{path.parent.name}/{path.name}"


def _unplayed(tongue: Tongue | None, language: str, name: str) -> str:
    """Return why a recording would never be played; empty when it would."""
    if tongue is None:
        return messages.NOT_SPOKEN.format(language=language)
    if name not in tongue.catalogue:
        return messages.NO_SUCH_TEXT.format(name=name)
    if tongue.catalogue.template(name, "voice").slots:
        return messages.SLOTS.format(name=name)
    return ""
