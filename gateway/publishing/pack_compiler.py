"""Pack compiler: finds, checks and compiles packs with the flows' actions."""

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
    """Return every action of every flow, by name."""
    return cast(Mapping[str, Action], discovery.discover())


def folder(operator: str, root: Path = OPERATORS) -> Path:
    """Return an operator's pack folder: `orange-ro` is in `orange_ro`."""
    return root / operator.replace("-", "_")


def names(root: Path = OPERATORS) -> list[str]:
    """Return the operators that have a pack in a folder of packs."""
    return sorted(path.parent.name.replace("_", "-") for path in root.glob("*/pack.yaml"))


def located(operator: str, beside: str = "", root: Path = OPERATORS) -> Path:
    """Return an operator's pack folder: in `beside` if it is there, otherwise in `root`."""
    own = folder(operator, Path(beside)) if beside else root
    return own if beside and (own / "pack.yaml").is_file() else folder(operator, root)


def served(beside: str = "") -> list[str]:
    """Return all operators that have a pack, shipped or in the folder `beside`."""
    return sorted({*names(), *(names(Path(beside)) if beside else ())})


def within(path: Path) -> list[Path]:
    """Return the pack at a path, or the packs in a folder of packs."""
    packs = [] if (path / "pack.yaml").is_file() else [file.parent for file in path.glob("*/pack.yaml")]
    return sorted(packs) or [path]


def findings(pack: Path) -> list[Finding]:
    """Return all findings in a pack; empty when it may be served."""
    try:
        pack_draft = draft(pack, PLACES)
    except PackError as error:
        return error.findings
    return sorted(graph(pack_draft, specs())) or sorted(overflows(pack_draft, pack_draft.menu(), VOCABULARY))


def menu(pack: Path) -> Menu:
    """Compile a pack; PackError holds all findings when there is any."""
    pack_draft: Draft = draft(pack, PLACES)
    findings = graph(pack_draft, specs())
    if findings:
        raise PackError(findings)
    compiled = pack_draft.menu()
    findings = list(overflows(pack_draft, compiled, VOCABULARY))
    if findings:
        raise PackError(findings)
    return compiled


def specs() -> Mapping[str, ActionSpec]:
    """Return what the checks need to know of each action: its outcomes and whether it is private."""
    return {name: ActionSpec(action.outcomes, action.private) for name, action in actions().items()}


def unrecorded(pack: Path) -> list[str]:
    """Return one line for each recording of a fixed prompt that the pack lacks."""
    compiled = menu(pack)
    prompt_names = {node.text for node in compiled.nodes.values() if node.rests} | {
        "nav.keys",
        "note.wrong",
        "note.empty",
    }
    return [
        f"{pack.name}/prompts/{language}/{name}.wav is missing: {' '.join(words.split())!r}"
        for language in compiled.form.languages
        for name in sorted(prompt_names)
        if (language, name) not in compiled.recordings
        and not (template := compiled.tongues[language].catalogue.template(name, "voice")).slots
        and (words := template.parts[0])
    ]
