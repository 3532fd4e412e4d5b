"""Packs: load, check and describe an operator's menu pack."""
