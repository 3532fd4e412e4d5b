"""Menus of the shipped packs, each compiled once in a process: a compilation walks every text of the pack."""

from functools import cache

import yaml

from gateway.publishing import pack_compiler
from menus.machine.menu import Menu


@cache
def shipped_menu(operator: str) -> Menu:
    """Return the menu of a shipped pack."""
    return pack_compiler.compile_pack(pack_compiler.pack_folder(operator))


def shipped_languages(operator: str) -> list[str]:
    """Return the languages of a shipped pack, the default first, without compiling it."""
    return [
        *yaml.safe_load((pack_compiler.pack_folder(operator) / "pack.yaml").read_text("utf-8"))["languages"]
    ]
