"""Command `dialtree check`: linter of packs and provider descriptions, with text or JSON output."""

import argparse
import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
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


def main(args: argparse.Namespace) -> int:
    """Check packs and return 0 (nothing found), 1 (findings) or 2 (a folder or dialog cannot be read)."""
    if args.schema:
        print(json.dumps({**json_schema(), "providers": ProviderForm.model_json_schema()}, indent=2))
        return EXIT_CLEAN
    requested = [*map(_find_requested, args.packs), *([Path(args.beside)] if args.beside else [])]
    descriptions = _requested_descriptions(requested)
    dialects = [path for path in descriptions if path.parent.name == DIALECTS_FOLDER.name]
    descriptions = [path for path in descriptions if path not in dialects]
    packs = [path for path in requested if path not in (*descriptions, *dialects)] or (
        [] if requested else [pack_compiler.OPERATORS]
    )
    folders = [pack for path in packs for pack in pack_compiler.packs_in(path)]
    missing = [folder for folder in folders if not folder.is_dir()]
    try:
        dialogs = coverage.read_dialogs(args.dialogs) if args.dialogs else None
    except DialogError as error:
        print_error(error)
        return EXIT_UNUSABLE
    if missing:
        print_error("\n".join(f"{folder}: no such folder" for folder in missing))
        return EXIT_UNUSABLE
    findings = [finding for folder in folders for finding in _find_faults(folder, dialogs)]
    findings += [finding for path in descriptions for finding in check_description(path)]
    findings += [finding for path in dialects for finding in check_dialect(path)]
    if args.prompts and not findings:
        print("\n".join(line for pack in folders for line in pack_compiler.missing_recordings(pack)))
    if args.pages and not findings and not args.json:
        print("\n".join(line for pack in folders for line in pack_compiler.pages_of_screens(pack)))
    if args.spoken and not findings:
        findings = _check_speech(folders, prints_texts=not args.json)
    checked = {"packs": folders, "providers": descriptions, "dialects": dialects}
    _print_findings(checked, findings, as_json=args.json)
    return EXIT_FINDINGS if findings else EXIT_CLEAN


def _find_requested(path: Path) -> Path:
    """Return a path, or the folder of the shipped pack whose operator it names."""
    named = pack_compiler.find_pack(str(path))
    return named if not path.exists() and named.is_dir() else path


def _check_speech(folders: list[Path], *, prints_texts: bool) -> list[Finding]:
    """Print what the packs say on calls, and return what a speech synthesiser would misread."""
    spoken = [pack_compiler.spoken_texts(folder) for folder in folders]
    if prints_texts:
        print("\n".join(line for lines, _ in spoken for line in lines))
    return [finding for _, findings in spoken for finding in findings]


def _requested_descriptions(requested: list[Path]) -> list[Path]:
    """Return the descriptions of providers and dialects to check: those named, or all when nothing is named."""
    if requested:
        return [path for path in requested if path.suffix == ".yaml"]
    folders = [*description_folders(), DIALECTS_FOLDER]
    return [path for folder in folders for path in sorted(folder.glob("*.yaml"))]


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


def _print_findings(checked: Mapping[str, list[Path]], findings: list[Finding], *, as_json: bool) -> None:
    """Print the findings and how many files of each kind were checked."""
    if as_json:
        rows = [asdict(finding) for finding in findings]
        files = {name: list(map(str, paths)) for name, paths in checked.items()}
        print(json.dumps({**files, "findings": rows}, ensure_ascii=False, indent=2))
        return
    for finding in findings:
        print(finding)
    parts = [_pluralise(len(paths), name.removesuffix("s")) for name, paths in checked.items() if paths]
    print(", ".join([*parts, _pluralise(len(findings), "finding")]))


def _pluralise(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
