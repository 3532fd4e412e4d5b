"""The packs we ship, checked and compiled."""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import menus
from flows.domain.actions import Action
from flows.selfcare import discovery
from flows.selfcare.sample_facts import VOCABULARY
from menus.machine.menu import Menu
from menus.packfile.yaml_source import Finding, PackError
from menus.packs.graph_checks import ActionSpec, graph
from menus.packs.loader import Draft, Places, draft
from menus.packs.overflow_checks import overflows

HOUSE = Path(menus.__file__).parent
OPERATORS = HOUSE / "operators"
PLACES = Places(discovery.FOLDER, HOUSE / "texts")


def actions() -> Mapping[str, Action]:
    """Every action of every flow, by name."""
    return cast(Mapping[str, Action], discovery.discover())


def folder(operator: str, root: Path = OPERATORS) -> Path:
    """Where an operator's pack lies: `orange-ro` in `orange_ro`."""
    return root / operator.replace("-", "_")


def names(root: Path = OPERATORS) -> list[str]:
    """The operators there are packs for."""
    return sorted(path.parent.name.replace("_", "-") for path in root.glob("*/pack.yaml"))


def located(operator: str, beside: str = "", root: Path = OPERATORS) -> Path:
    """An operator's pack in the folder beside ours, or among ours."""
    own = folder(operator, Path(beside)) if beside else root
    return own if beside and (own / "pack.yaml").is_file() else folder(operator, root)


def served(beside: str = "") -> list[str]:
    """All operators there are packs for, ours and those beside."""
    return sorted({*names(), *(names(Path(beside)) if beside else ())})


def within(path: Path) -> list[Path]:
    """A pack's folder itself, or the packs in a folder of packs."""
    inside = [] if (path / "pack.yaml").is_file() else [found.parent for found in path.glob("*/pack.yaml")]
    return sorted(inside) or [path]


def findings(pack: Path) -> list[Finding]:
    """Everything wrong with a pack; empty when it may be dialled."""
    try:
        written = draft(pack, PLACES)
    except PackError as error:
        return error.findings
    return sorted(graph(written, specs())) or sorted(overflows(written, written.menu(), VOCABULARY))


def menu(pack: Path) -> Menu:
    """The compiled pack; PackError with every finding when there is one."""
    written: Draft = draft(pack, PLACES)
    found = graph(written, specs())
    if found:
        raise PackError(found)
    compiled = written.menu()
    found = list(overflows(written, compiled, VOCABULARY))
    if found:
        raise PackError(found)
    return compiled


def specs() -> Mapping[str, ActionSpec]:
    """What the checks need to know of the actions."""
    return {name: ActionSpec(action.outcomes, action.private) for name, action in actions().items()}


def unrecorded(pack: Path) -> list[str]:
    """The files a pack could bring for the fixed words of its calls, and does not."""
    made = menu(pack)
    fixed = {node.text for node in made.nodes.values() if node.rests} | {"nav.keys", "note.wrong", "note.empty"}
    return [
        f"{pack.name}/prompts/{language}/{name}.wav is missing: {' '.join(words.split())!r}"
        for language in made.form.languages
        for name in sorted(fixed)
        if (language, name) not in made.recordings
        and not (template := made.tongues[language].catalogue.template(name, "voice")).slots
        and (words := template.parts[0])
    ]
