"""Command `dialtree check`: linter of packs and provider descriptions, with text or JSON output."""

import argparse
import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gateway.cli.error_output import print_error
from gateway.dialogs import coverage
from gateway.dialogs.format import Dialog, DialogError
from gateway.http.sample_check import check_description
from gateway.providers._aggregators.description import ProviderForm
from gateway.providers._smpp.dialect import DIALECTS_FOLDER, check_dialect
from gateway.providers.registry import description_folders
from gateway.publishing import pack_compiler
from menus.packfile import messages
from menus.packfile.json_schema import json_schema
from menus.packfile.schema import CHANNELS
from menus.packfile.yaml_source import Finding
from menus.packs.graph_checks import REQUIRED_NODES, reachable_nodes
from menus.packs.loader import PackDraft, load_draft

EXIT_CLEAN, EXIT_FINDINGS, EXIT_UNUSABLE = 0, 1, 2
"""Exit codes: nothing found, findings, and a folder or dialog that cannot be read."""


@dataclass(frozen=True, slots=True)
class CheckedFiles:
    """What is checked, by kind."""

    packs: Sequence[Path]
    """Folders."""
    providers: Sequence[Path]
    """Descriptions of HTTP providers."""
    dialects: Sequence[Path]
    """Descriptions of USSD dialects of SMPP."""


def main(args: argparse.Namespace) -> int:
    """Check packs and return 0 (nothing found), 1 (findings) or 2 (a folder or dialog cannot be read)."""
    if args.schema:
        print(json.dumps({**json_schema(), "providers": ProviderForm.model_json_schema()}, indent=2))
        return EXIT_CLEAN
    checked = _find_checked([*map(_find_requested, args.packs), *([Path(args.beside)] if args.beside else [])])
    try:
        dialogs = coverage.read_dialogs(args.dialogs) if args.dialogs else None
    except DialogError as error:
        print_error(error)
        return EXIT_UNUSABLE
    missing = [folder for folder in checked.packs if not folder.is_dir()]
    if missing:
        print_error("\n".join(f"{folder}: no such folder" for folder in missing))
        return EXIT_UNUSABLE
    findings = [*_find_all_faults(checked, dialogs)] or _print_lists(checked.packs, args)
    _print_findings(checked, findings, as_json=args.json)
    return EXIT_FINDINGS if findings else EXIT_CLEAN


def _find_requested(path: Path) -> Path:
    """Return a path, or the folder of the shipped pack whose operator it names."""
    named = pack_compiler.find_pack(str(path))
    return named if not path.exists() and named.is_dir() else path


def _find_checked(requested: Sequence[Path]) -> CheckedFiles:
    """Return what the paths requested hold; all that is shipped when there are none."""
    folders = [DIALECTS_FOLDER, *description_folders()]
    files = requested or [path for folder in folders for path in sorted(folder.glob("*.yaml"))]
    descriptions = [path for path in files if path.suffix == ".yaml"]
    dialects = [path for path in descriptions if path.parent.name == DIALECTS_FOLDER.name]
    places = (
        [path for path in requested if path not in descriptions] if requested else [pack_compiler.OPERATORS]
    )
    return CheckedFiles(
        [pack for place in places for pack in pack_compiler.packs_in(place)],
        [path for path in descriptions if path not in dialects],
        dialects,
    )


def _find_all_faults(checked: CheckedFiles, dialogs: list[Dialog] | None) -> Iterator[Finding]:
    """Yield the findings of packs, providers and dialects."""
    for folder in checked.packs:
        yield from _find_faults(folder, dialogs)
    for path in checked.providers:
        yield from check_description(path)
    for path in checked.dialects:
        yield from check_dialect(path)


def _print_lists(folders: Sequence[Path], args: argparse.Namespace) -> list[Finding]:
    """Print what the options ask for of packs without findings; return what a call would misread."""
    if args.prompts:
        print("\n".join(line for pack in folders for line in pack_compiler.missing_recordings(pack)))
    if args.pages and not args.json:
        print("\n".join(line for pack in folders for line in pack_compiler.pages_of_screens(pack)))
    return _check_speech(folders, prints_texts=not args.json) if args.spoken else []


def _check_speech(folders: Sequence[Path], *, prints_texts: bool) -> list[Finding]:
    """Print what the packs say on calls, and return what a speech synthesiser would misread."""
    spoken = [pack_compiler.spoken_texts(folder) for folder in folders]
    if prints_texts:
        print("\n".join(line for lines, _ in spoken for line in lines))
    return [finding for _, findings in spoken for finding in findings]


def _find_faults(folder: Path, dialogs: list[Dialog] | None) -> list[Finding]:
    findings = pack_compiler.validate_pack(folder)
    if findings or dialogs is None:
        return findings
    pack = load_draft(folder, pack_compiler.SHARED_PLACES)
    own_dialogs = [dialog for dialog in dialogs if dialog.first_argument("operator") == pack.config.name]
    return sorted(_unvisited_screens(pack, own_dialogs))


def _unvisited_screens(pack: PackDraft, dialogs: list[Dialog]) -> Iterator[Finding]:
    """Yield a finding for each screen that no dialog visits; the shared `house.` screens are exempt."""
    menu = functools.cache(pack_compiler.compile_pack)
    visited = {name for path in coverage.screens_visited(dialogs, lambda _: menu(pack.folder)) for name in path}
    required = {name for channel in CHANNELS for name in reachable_nodes(pack, channel)} - set(REQUIRED_NODES)
    for name in sorted(required - visited):
        node = pack.nodes[name]
        yield node.source.finding_at(node.source_path, messages.MISSING_DIALOG.format(node=name))


def _print_findings(checked: CheckedFiles, findings: list[Finding], *, as_json: bool) -> None:
    """Print the findings and how many files of each kind were checked."""
    kinds: Mapping[str, list[Path]] = asdict(checked)
    if as_json:
        rows = [asdict(finding) for finding in findings]
        files = {name: list(map(str, paths)) for name, paths in kinds.items()}
        print(json.dumps({**files, "findings": rows}, ensure_ascii=False, indent=2))
        return
    for finding in findings:
        print(finding)
    parts = [_pluralise(len(paths), name.removesuffix("s")) for name, paths in kinds.items() if paths]
    print(", ".join([*parts, _pluralise(len(findings), "finding")]))


def _pluralise(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
