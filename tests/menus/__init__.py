"""Tests of `menus`."""
