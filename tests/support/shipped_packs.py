"""Menus of the shipped packs, each compiled once in a process: a compilation walks every text of the pack."""

from functools import cache
from pathlib import Path

import yaml

from gateway.publishing import pack_compiler
from menus.machine.menu import Menu


def shipped_menu(operator: str) -> Menu:
    """Return the menu of a shipped pack."""
    return _compile_shipped(pack_compiler.pack_folder(operator))


def compile_once(pack: Path) -> Menu:
    """Compile a pack; one of those shipped, which no test changes, only at its first use."""
    if pack.is_relative_to(pack_compiler.OPERATORS):
        return _compile_shipped(pack)
    return pack_compiler.compile_pack(pack)


@cache
def _compile_shipped(pack: Path) -> Menu:
    return pack_compiler.compile_pack(pack)


def shipped_languages(operator: str) -> list[str]:
    """Return the languages of a shipped pack, the default first, without compiling it."""
    pack_file = pack_compiler.pack_folder(operator) / "pack.yaml"
    return [*yaml.safe_load(pack_file.read_text("utf-8"))["languages"]]
