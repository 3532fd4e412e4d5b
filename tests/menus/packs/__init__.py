"""Tests of `menus.packs`."""
