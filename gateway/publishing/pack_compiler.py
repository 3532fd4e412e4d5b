"""Pack compiler: finds, checks and compiles packs with the flows' actions."""

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import menus
from flows.domain.actions import Action
from flows.engine.menu_versions import MenuVersions
from flows.selfcare import action_discovery
from flows.selfcare.sample_facts import SAMPLE_FACTS
from menus.machine.menu import Menu
from menus.packfile.yaml_source import Finding, PackError
from menus.packs.action_specs import ActionSpec
from menus.packs.graph_checks import check_pack
from menus.packs.loader import PackDraft, SourceFolders, load_draft
from menus.packs.overflow_checks import find_overflows
from menus.packs.page_counts import count_screen_pages, summarise_pages
from menus.packs.promise_checks import check_promises
from menus.packs.spoken_checks import check_spoken
from menus.packs.spoken_prompts import list_spoken_prompts

MENUS_FOLDER = Path(menus.__file__).parent
OPERATORS = MENUS_FOLDER / "operators"
SHARED_PLACES = SourceFolders(action_discovery.FLOWS_FOLDER, MENUS_FOLDER / "texts")
UNTUNED_THRESHOLDS = gc.get_threshold()
"""Of the garbage collector, as Python starts with them."""


def load_actions() -> Mapping[str, Action]:
    """Return every action of every flow, by name."""
    return cast(Mapping[str, Action], action_discovery.discover_actions())


def pack_folder(operator: str, root: Path = OPERATORS) -> Path:
    """Return an operator's pack folder: `orange-ro` is in `orange_ro`."""
    return root / operator.replace("-", "_")


def shipped_operators(root: Path = OPERATORS) -> list[str]:
    """Return the operators that have a pack in a folder of packs."""
    return sorted(path.parent.name.replace("_", "-") for path in root.glob("*/pack.yaml"))


def load_menus(
    operators: Iterable[str],
    beside: str,
    root: Path = OPERATORS,
    load: Callable[[Path], Menu] | None = None,
) -> MenuVersions:
    """Compile and publish each operator's pack; PackError for one that cannot be used."""
    menu_versions, compile_folder = MenuVersions(), load or compile_pack
    with paused_collector():
        for name in operators:
            menu_versions.publish(compile_folder(find_pack(name, beside, root)))
    return menu_versions


@contextmanager
def paused_collector() -> Iterator[None]:
    """Collect no garbage in the block: while packs are built, that would take two thirds of the time.

    What is built stays; it leaves hardly any cycle to collect.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            _count_all_as_old()
            gc.enable()


def _count_all_as_old() -> None:
    """Move all objects to the oldest generation, or else the next collection would look at all that was built.

    Not where the collector is tuned, as in a server after its start, which has frozen objects: `unfreeze` would
    undo that. The thresholds tell, because to count what is frozen takes 30 ms where that is a million objects.
    """
    if gc.get_threshold() == UNTUNED_THRESHOLDS:
        gc.freeze()
        gc.unfreeze()


def find_pack(operator: str, beside: str = "", root: Path = OPERATORS) -> Path:
    """Return an operator's pack folder: in `beside` if it is there, otherwise in `root`."""
    own = pack_folder(operator, Path(beside)) if beside else root
    return own if beside and (own / "pack.yaml").is_file() else pack_folder(operator, root)


def available_operators(beside: str = "") -> list[str]:
    """Return all operators that have a pack, shipped or in the folder `beside`."""
    return sorted({*shipped_operators(), *(shipped_operators(Path(beside)) if beside else ())})


def packs_in(path: Path) -> list[Path]:
    """Return the pack at a path, or the packs in a folder of packs."""
    packs = [] if (path / "pack.yaml").is_file() else [file.parent for file in path.glob("*/pack.yaml")]
    return sorted(packs) or [path]


def validate_pack(pack: Path) -> list[Finding]:
    """Return all findings in a pack; empty when it may be served."""
    try:
        pack_draft = load_draft(pack, SHARED_PLACES)
    except PackError as error:
        return error.findings
    return sorted(check_pack(pack_draft, action_specs())) or sorted(
        [*check_promises(pack_draft), *find_overflows(pack_draft, pack_draft.build_menu(), SAMPLE_FACTS)]
    )


def compile_pack(pack: Path) -> Menu:
    """Compile a pack; PackError holds all findings when there is any."""
    return compile_draft(load_draft(pack, SHARED_PLACES))


def compile_draft(pack_draft: PackDraft) -> Menu:
    """Check a draft and compile it; PackError holds all findings when there is any."""
    findings = check_pack(pack_draft, action_specs())
    if findings:
        raise PackError(findings)
    compiled = pack_draft.build_menu()
    findings = [*check_promises(pack_draft), *find_overflows(pack_draft, compiled, SAMPLE_FACTS)]
    if findings:
        raise PackError(findings)
    return compiled


def action_specs() -> Mapping[str, ActionSpec]:
    """Return what the checks need to know of each action: its outcomes and whether it is private."""
    return {
        name: ActionSpec(action.outcomes, action.is_private, action.changes_address)
        for name, action in load_actions().items()
    }


def spoken_texts(pack: Path) -> tuple[list[str], list[Finding]]:
    """Return what a pack says on calls, one line a prompt, and what a synthesiser would misread in it."""
    draft, menu = load_draft(pack, SHARED_PLACES), compile_pack(pack)
    prompts = list(list_spoken_prompts(draft, menu, SAMPLE_FACTS))
    lines = [f"{menu.name} {each.language} {each.node}: {each.words}" for each in prompts]
    return lines, list(check_spoken(menu, prompts))


def pages_of_screens(pack: Path) -> list[str]:
    """Return which screens of a pack take more than one page, then a summary; one line each."""
    draft, menu = load_draft(pack, SHARED_PLACES), compile_pack(pack)
    counted = sorted(count_screen_pages(draft, menu, SAMPLE_FACTS))
    longer = [
        f"{menu.name} {each.channel} {each.language} {each.node}: {each.page_count} pages"
        for each in counted
        if each.page_count > 1
    ]
    return [*longer, *(f"{menu.name} {line}" for line in summarise_pages(counted))]


def missing_recordings(pack: Path) -> list[str]:
    """Return one line for each recording of a fixed prompt that the pack lacks."""
    compiled = compile_pack(pack)
    prompt_names = {node.text for node in compiled.nodes.values() if node.is_waiting} | {
        "nav.keys",
        "note.wrong",
        "note.empty",
    }
    return [
        f"{pack.name}/prompts/{language}/{name}.wav is missing: {' '.join(words.split())!r}"
        for language in compiled.config.languages
        for name in sorted(prompt_names)
        if (language, name) not in compiled.recordings
        and not (template := compiled.language_packs[language].catalogue.template_for(name, "voice")).slots
        and (words := template.parts[0])
    ]
