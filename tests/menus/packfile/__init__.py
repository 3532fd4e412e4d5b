"""Tests of `menus.packfile`."""
