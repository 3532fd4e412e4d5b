"""Command `dialtree walk`: writes dialogs that make every transition of an operator's menus."""

import asyncio
import logging
import tempfile
from argparse import Namespace
from pathlib import Path

from gateway.cli.error_output import print_error
from gateway.cli.progress import show_progress
from gateway.dialogs.pack_transitions import PackOnChannel
from gateway.dialogs.pack_walk import PackWalk, WalkResult
from gateway.dialogs.walk_files import read_existing_dialogs, write_walk
from gateway.publishing import pack_compiler
from menus.model.reply import Channel
from menus.packfile.schema import CHANNELS

EXIT_WALKED, EXIT_NOT_ALL, EXIT_UNKNOWN_OPERATOR = 0, 1, 2
"""Exit codes: everything was reached, something was not, there is no such operator."""


def main(args: Namespace) -> int:
    """Walk the channels, write what was found and return 0, 1 (not all was reached) or 2 (no such operator)."""
    pack = pack_compiler.find_pack(args.operator, args.beside)
    if not (pack / "pack.yaml").is_file():
        known = ", ".join(pack_compiler.available_operators(args.beside))
        print_error(f"no operator {args.operator!r}; write one of: {known}")
        return EXIT_UNKNOWN_OPERATOR
    logging.getLogger().addHandler(logging.NullHandler())  # the faults it plays are no news
    into, is_complete = args.into or pack / "dialogs", True
    for channel in [args.channel] if args.channel else CHANNELS:
        result = _walk_channel(args, pack, channel)
        write_walk(result, into / channel)
        _print_result(channel, result, into / channel)
        is_complete = is_complete and not result.unreached
    return EXIT_WALKED if is_complete else EXIT_NOT_ALL


def _walk_channel(args: Namespace, pack: Path, channel: Channel) -> WalkResult:
    draft = PackOnChannel.load_pack(args.operator, channel, args.beside)
    into = [args.into] if args.into else []
    dialogs = read_existing_dialogs([pack / "dialogs", *args.dialogs, *into], args.operator)
    with (
        tempfile.TemporaryDirectory(prefix="dialtree-walk-") as folder,
        show_progress(f"walk {channel}", "moves") as report,
    ):
        return asyncio.run(PackWalk(draft, Path(folder), args.beside).run(dialogs, report))


def _print_result(channel: str, result: WalkResult, folder: Path) -> None:
    """Print what was reached, and each transition that was not."""
    reached = len(result.wanted) - len(result.unreached)
    print(f"{channel}: {reached} of {len(result.wanted)} moves, {len(result.dialogs)} dialogs in {folder}")
    for trigger, node in sorted(result.unreached):
        print(f"{channel}: not reached: {trigger!r} at {node}")
