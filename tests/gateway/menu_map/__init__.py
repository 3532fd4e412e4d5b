"""Tests of `gateway.menu_map`."""
