"""Tests of `menus.render`."""
