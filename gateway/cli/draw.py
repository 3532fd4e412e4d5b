"""Command `dialtree draw`: draws an operator's menu graph as SVG or Mermaid."""

import argparse
from functools import cache
from pathlib import Path

from gateway.cli.error_output import print_error
from gateway.dialogs import coverage
from gateway.dialogs.format import DialogError
from gateway.menu_map import mermaid, svg
from gateway.publishing import pack_compiler
from menus.packs.graph import build_menu_graph
from menus.packs.loader import load_draft


def main(args: argparse.Namespace) -> int:
    """Draw the graph and return 0, or 2 for an unknown operator or dialog; PackError for a broken pack."""
    folder = (
        Path(args.operator)
        if Path(args.operator).is_dir()
        else pack_compiler.find_pack(args.operator, args.beside or "")
    )
    if not folder.is_dir():
        print_error(
            f"no operator {args.operator!r}; write one of: "
            f"{', '.join(pack_compiler.available_operators(args.beside or ''))}"
        )
        return 2
    try:
        path = _read_path(args.dialog, folder) if args.dialog else []
    except (DialogError, OSError) as error:
        print_error(error)
        return 2
    menu_graph = build_menu_graph(load_draft(folder, pack_compiler.SHARED_PLACES), args.channel)
    text = (
        mermaid.draw_graph(menu_graph, path) if args.mermaid else svg.draw_graph(menu_graph, svg.Overlay(path))
    )
    if args.output:
        args.output.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    return 0


def _read_path(dialog: Path, folder: Path) -> list[str]:
    """Return the nodes a dialog visits; DialogError when it cannot be read or played."""
    return coverage.screens_visited(
        coverage.read_dialogs(dialog)[:1], cache(lambda _: pack_compiler.compile_pack(folder))
    )[0]
