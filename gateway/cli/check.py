"""The command `dialtree check`: faults in packs, for people and for machines."""

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
"""Exit codes: nothing found, findings, and a request that makes no sense."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `dialtree check`."""
    parser.add_argument("packs", nargs="*", type=Path, help="packs or folders of packs; ours by default")
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema of a pack's files")
    parser.add_argument("--json", action="store_true", help="findings as JSON")
    parser.add_argument(
        "--dialogs", type=Path, metavar="FOLDER", help="play these dialogs; name screens that none reaches"
    )
    parser.add_argument("--prompts", action="store_true", help="print the recordings a pack could still bring")
    add_packs(parser)


def main(args: argparse.Namespace) -> int:
    """0 when nothing was found, 1 when something was, 2 when a folder or a dialog cannot be read."""
    if args.schema:
        print(json.dumps(json_schema(), indent=2))
        return CLEAN
    given = [*args.packs, *([Path(args.beside)] if args.beside else [])]
    folders = [pack for path in given or [pack_compiler.OPERATORS] for pack in pack_compiler.within(path)]
    missing = [folder for folder in folders if not folder.is_dir()]
    try:
        dialogs = coverage.found(args.dialogs) if args.dialogs else None
    except DialogError as error:
        print(error)
        return UNUSABLE
    if missing:
        print("\n".join(f"{folder}: no such folder" for folder in missing))
        return UNUSABLE
    found = [finding for folder in folders for finding in _findings(folder, dialogs)]
    if args.prompts and not found:
        print("\n".join(line for pack in folders for line in pack_compiler.unrecorded(pack)))
    _print(folders, found, as_json=args.json)
    return FAULTY if found else CLEAN


def _findings(folder: Path, dialogs: list[Dialog] | None) -> list[Finding]:
    found = pack_compiler.findings(folder)
    if found or dialogs is None:
        return found
    written = draft(folder, pack_compiler.PLACES)
    own = [dialog for dialog in dialogs if dialog.first("operator") == written.form.name]
    return sorted(_unreached(written, own))


def _unreached(written: Draft, dialogs: list[Dialog]) -> Iterator[Finding]:
    """Screens no dialog comes by; the house's own words are not asked for."""
    menu = functools.cache(pack_compiler.menu)
    passed = {name for path in coverage.toured(dialogs, lambda _: menu(written.folder)) for name in path}
    named = {name for channel in CHANNELS for name in reachable(written, channel)} - set(ALWAYS_THERE)
    for name in sorted(named - passed):
        node = written.nodes[name]
        yield node.source.finding(node.path, messages.NO_DIALOG.format(node=name))


def _print(folders: list[Path], found: list[Finding], *, as_json: bool) -> None:
    if as_json:
        told = [asdict(finding) for finding in found]
        print(json.dumps({"packs": list(map(str, folders)), "findings": told}, ensure_ascii=False, indent=2))
        return
    for finding in found:
        print(finding)
    print(f"{_counted(len(folders), 'pack')}, {_counted(len(found), 'finding')}")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
