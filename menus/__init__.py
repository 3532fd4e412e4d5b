"""Menus: packs of an operator compiled to one state machine, the pure step, and rendering. Knows no flow."""
