"""Pack files: YAML reader with positions, pydantic schema, messages of `dialtree check`.

Knows single files only; `menus.packs` loads and checks whole packs.
"""
