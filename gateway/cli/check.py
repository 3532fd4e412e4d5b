"""Command `dialtree check`: linter of operator packs, with text or JSON output."""

import argparse
import functools
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from gateway.cli.pack_options import add_packs
from gateway.dialogs import coverage
from gateway.dialogs.format import Dialog, DialogError
from gateway.publishing import pack_compiler
from menus.packfile import messages
from menus.packfile.schema import CHANNELS, json_schema
from menus.packfile.yaml_source import Finding
from menus.packs.graph_checks import ALWAYS_THERE, reachable
from menus.packs.loader import Draft, draft

CLEAN, FAULTY, UNUSABLE = 0, 1, 2
"""Exit codes: nothing found, findings, and a folder or dialog that cannot be read."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `dialtree check`."""
    parser.add_argument("packs", nargs="*", type=Path, help="packs or folders of packs; ours by default")
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of a pack's files")
    parser.add_argument("--json", action="store_true", help="findings as JSON")
    parser.add_argument(
        "--dialogs", type=Path, metavar="FOLDER", help="play these dialogs; name screens that none reaches"
    )
    parser.add_argument("--prompts", action="store_true", help="print the recordings a pack could still bring")
    add_packs(parser)


def main(args: argparse.Namespace) -> int:
    """Check packs and return 0 (nothing found), 1 (findings) or 2 (a folder or dialog cannot be read)."""
    if args.schema:
        print(json.dumps(json_schema(), indent=2))
        return CLEAN
    requested = [*args.packs, *([Path(args.beside)] if args.beside else [])]
    folders = [pack for path in requested or [pack_compiler.OPERATORS] for pack in pack_compiler.within(path)]
    missing = [folder for folder in folders if not folder.is_dir()]
    try:
        dialogs = coverage.found(args.dialogs) if args.dialogs else None
    except DialogError as error:
        print(error)
        return UNUSABLE
    if missing:
        print("\n".join(f"{folder}: no such folder" for folder in missing))
        return UNUSABLE
    findings = [finding for folder in folders for finding in _findings(folder, dialogs)]
    if args.prompts and not findings:
        print("\n".join(line for pack in folders for line in pack_compiler.unrecorded(pack)))
    _print(folders, findings, as_json=args.json)
    return FAULTY if findings else CLEAN


def _findings(folder: Path, dialogs: list[Dialog] | None) -> list[Finding]:
    findings = pack_compiler.findings(folder)
    if findings or dialogs is None:
        return findings
    pack = draft(folder, pack_compiler.PLACES)
    own_dialogs = [dialog for dialog in dialogs if dialog.first("operator") == pack.form.name]
    return sorted(_unreached(pack, own_dialogs))


def _unreached(written: Draft, dialogs: list[Dialog]) -> Iterator[Finding]:
    """Yield a finding for each screen that no dialog visits; the shared `house.` screens are exempt."""
    menu = functools.cache(pack_compiler.menu)
    visited = {name for path in coverage.toured(dialogs, lambda _: menu(written.folder)) for name in path}
    required = {name for channel in CHANNELS for name in reachable(written, channel)} - set(ALWAYS_THERE)
    for name in sorted(required - visited):
        node = written.nodes[name]
        yield node.source.finding(node.path, messages.NO_DIALOG.format(node=name))


def _print(folders: list[Path], found: list[Finding], *, as_json: bool) -> None:
    if as_json:
        rows = [asdict(finding) for finding in found]
        print(json.dumps({"packs": list(map(str, folders)), "findings": rows}, ensure_ascii=False, indent=2))
        return
    for finding in found:
        print(finding)
    print(f"{_counted(len(folders), 'pack')}, {_counted(len(found), 'finding')}")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
