"""Recordings: the prompts a pack brings as files, by language and text."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from menus.machine.menu import Tongue
from menus.packfile import messages
from menus.packfile.yaml_source import Finding, PackError

Recordings = Mapping[tuple[str, str], str]
"""Language and text -> the file below `prompts/`."""
KINDS = (".wav", ".mp3")


def recordings(folder: Path, tongues: Mapping[str, Tongue]) -> Recordings:
    """The files under `prompts/LANGUAGE/TEXT.wav`; PackError for one that no text would play."""
    found = dict(_found(folder))
    wrong = [
        Finding(f"{folder.name}/prompts/{file}", 1, 1, why)
        for (language, name), file in found.items()
        if (why := _unplayed(tongues.get(language), language, name))
    ]
    if wrong:
        raise PackError(wrong)
    return found


def _found(folder: Path) -> Iterator[tuple[tuple[str, str], str]]:
    for path in sorted((folder / "prompts").glob("*/*")):
        if path.suffix in KINDS:
            yield (path.parent.name, path.stem), f"{path.parent.name}/{path.name}"


def _unplayed(tongue: Tongue | None, language: str, name: str) -> str:
    if tongue is None:
        return messages.NOT_SPOKEN.format(language=language)
    if name not in tongue.catalogue:
        return messages.NO_SUCH_TEXT.format(name=name)
    if tongue.catalogue.template(name, "voice").slots:
        return messages.SLOTS.format(name=name)
    return ""
