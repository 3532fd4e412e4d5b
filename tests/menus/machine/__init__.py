"""Tests of `menus.machine`."""
