"""Packs: load, check (lint) and describe an operator's menu pack, a folder of YAML files.

`loader` reads a folder to a `PackDraft`; the checks return findings with file, line and column; a draft
without findings is compiled to a `Menu`.
"""
